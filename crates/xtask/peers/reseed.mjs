// What a user would write with the AWS SDK for JavaScript: list everything, sort, send.
// Argument: list, reseed, or origin (one awaited SendMessage an event).
import { createHash } from "node:crypto";
import { ListObjectVersionsCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const mode = process.argv[2];
const s3 = new S3Client({ forcePathStyle: true });
const entries = [];
let markers = {};
do {
  const page = await s3.send(new ListObjectVersionsCommand({ Bucket: "load", ...markers }));
  for (const v of page.Versions ?? [])
    entries.push({ time: v.LastModified, key: v.Key, version: v.VersionId, name: "ObjectCreated:Put" });
  for (const v of page.DeleteMarkers ?? [])
    entries.push({ time: v.LastModified, key: v.Key, version: v.VersionId, name: "ObjectRemoved:DeleteMarkerCreated" });
  markers = page.IsTruncated
    ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
    : null;
} while (markers);
entries.sort((a, b) => a.time - b.time);
console.log(entries.length);

const sqs = new SQSClient({});
const QueueUrl = process.env.AWS_ENDPOINT_URL + "/1/load.fifo";
const message = (entry, sequence) => ({
  MessageBody: JSON.stringify({ eventName: entry.name, bucket: "load", key: entry.key,
    versionId: entry.version, eventTime: entry.time, sequence }),
  MessageGroupId: createHash("sha256").update(entry.key).digest("hex"),
  MessageDeduplicationId: String(sequence),
});
if (mode === "origin") {
  for (const [index, entry] of entries.entries())
    await sqs.send(new SendMessageCommand({ QueueUrl, ...message(entry, index + 1) }));
} else if (mode === "reseed") {
  for (let begin = 0; begin < entries.length; begin += 10) {
    const Entries = entries.slice(begin, begin + 10)
      .map((entry, number) => ({ Id: String(number), ...message(entry, begin + number + 1) }));
    const answer = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    if (answer.Failed?.length) throw new Error(JSON.stringify(answer.Failed));
  }
}
