"""Hands a queue's messages to a consumer function as Lambda does, until none came for a while.

    python3 consume.py CONSUMER.py QUEUE_URL SECONDS
    python3 consume.py http://HOST:PORT/2015-03-31/functions/NAME/invocations QUEUE_URL SECONDS STATE_FILE

Prints how many there were and what the consumer then knows: what its `present()` says, or what is in its file. Ten
messages a batch; what the function answers as failed is an error.
"""

import importlib.util
import json
import sys
import time
import urllib.request

import boto3

consumer, queue, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
sqs = boto3.client("sqs")
if consumer.startswith("http"):

    def handler(event, _):
        request = urllib.request.Request(consumer, json.dumps(event).encode(), method="POST")
        return json.load(urllib.request.urlopen(request))

    def present():
        with open(sys.argv[4], encoding="utf-8") as file:
            return json.load(file)

    # `cargo lambda watch` builds a function when it is first invoked: a message received before that would be visible
    # again until it is done.
    handler({"Records": []}, None)

else:
    spec = importlib.util.spec_from_file_location("consumer", consumer)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler, present = module.handler, module.present


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
    answer = handler({"Records": [as_lambda_tells(message) for message in received]}, None)
    failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    if failed:
        sys.exit(f"the consumer failed at {failed}")
    entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(received)]
    undeleted = sqs.delete_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
    if undeleted:
        sys.exit(f"the queue keeps {undeleted}")
    last, messages = time.monotonic(), messages + len(received)
json.dump({"messages": messages, "present": present()}, sys.stdout)
