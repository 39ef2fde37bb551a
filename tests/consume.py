"""Hands a queue's messages to a consumer function as Lambda does, until none came for a while.

    python3 consume.py CONSUMER.py QUEUE_URL SECONDS

Prints what the consumer's `present()` says at the end. Ten messages a batch; what the function answers as failed is
not deleted and comes again.
"""

import importlib.util
import json
import sys
import time

import boto3

spec = importlib.util.spec_from_file_location("consumer", sys.argv[1])
consumer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(consumer)
queue, patience = sys.argv[2], float(sys.argv[3])
sqs = boto3.client("sqs")


def as_lambda_tells(message):
    attributes = {
        name: {"stringValue": value.get("StringValue"), "binaryListValues": [], "stringListValues": [], "dataType": value["DataType"]}
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue.fifo",
        "awsRegion": "us-east-1",
    }


last, messages = time.monotonic(), 0
while time.monotonic() - last < patience:
    received = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"], MessageAttributeNames=["All"]
    ).get("Messages", [])
    if not received:
        continue
    last, messages = time.monotonic(), messages + len(received)
    answer = consumer.handler({"Records": [as_lambda_tells(message) for message in received]}, None)
    failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    if failed:
        sys.exit(f"the consumer failed at {failed}")
    entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(received)]
    sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
json.dump({"messages": messages, "present": consumer.present()}, sys.stdout)
