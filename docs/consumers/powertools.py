"""A consumer that keeps what a bucket holds now, from messages of `MessageFormat=s3`: a Lambda function behind the queue.

With AWS Lambda Powertools for Python (`pip install "aws-lambda-powertools[parser]"`). As an event source of the queue
with `FunctionResponseTypes: [ReportBatchItemFailures]`; handler `powertools.handler`.
"""

from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser.models import S3Model

# Key to its versions, the newest last: version id to ETag, None for a delete marker. A database, in earnest.
versions: dict[str, dict[str, str | None]] = {}


def record_handler(record: SQSRecord) -> None:
    """One message: a notification as S3 writes it, with one or more records of one key's group."""
    for change in S3Model.model_validate_json(record.body).Records:
        item = change.s3.object
        of_key = versions.setdefault(unquote_plus(item.key), {})
        if change.eventName == "ObjectRemoved:Delete":
            # A version, or a marker, was removed for good: what is below it counts again.
            of_key.pop(item.versionId, None)
        elif item.versionId not in of_key or item.versionId == "null":
            # What comes twice is told by its id. A `null` version is replaced.
            of_key.pop(item.versionId, None)
            of_key[item.versionId] = None if change.eventName.startswith("ObjectRemoved") else item.eTag


# Stops at the first message of a batch that fails, so that none overtakes it.
processor = SqsFifoPartialProcessor()


def handler(event, context):
    """What Lambda calls with up to ten messages; answers which of them must come again."""
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)


def present() -> dict[str, str]:
    """The bucket's present state: key to ETag."""
    newest = {key: list(of_key.values())[-1] for key, of_key in versions.items() if of_key}
    return {key: etag for key, etag in newest.items() if etag is not None}
