"""What a user would write with boto3: list everything, sort, send. Argument: list or reseed."""

import hashlib
import json
import os
import sys

import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
entries = []
for page in s3.get_paginator("list_object_versions").paginate(Bucket="load"):
    for version in page.get("Versions", []):
        entries.append((version["LastModified"], version["Key"], version["VersionId"], "ObjectCreated:Put"))
    for marker in page.get("DeleteMarkers", []):
        entries.append((marker["LastModified"], marker["Key"], marker["VersionId"], "ObjectRemoved:DeleteMarkerCreated"))
entries.sort()
print(len(entries))
if sys.argv[1] == "reseed":
    sqs = boto3.client("sqs")
    queue = os.environ["AWS_ENDPOINT_URL"] + "/1/load.fifo"
    for begin in range(0, len(entries), 10):
        batch = []
        for number, (time, key, version, name) in enumerate(entries[begin : begin + 10]):
            body = {"eventName": name, "bucket": "load", "key": key, "versionId": version,
                    "eventTime": time.isoformat(), "sequence": begin + number + 1}
            batch.append({"Id": str(number), "MessageBody": json.dumps(body),
                          "MessageGroupId": hashlib.sha256(key.encode()).hexdigest(),
                          "MessageDeduplicationId": str(begin + number + 1)})
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=batch)
        assert not answer.get("Failed")
