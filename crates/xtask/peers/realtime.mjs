// What a user would write as a Lambda function: one awaited SendMessage a record. Around the handler the loop that
// Lambda's Node.js runtime runs, by the same API and with the same parts (node:http, one connection kept).
import { createHash } from "node:crypto";
import http from "node:http";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const sqs = new SQSClient({});
const QueueUrl = process.env.QUEUE_URL;

async function handler(event) {
  for (const record of event.Records) {
    const key = decodeURIComponent(record.s3.object.key.replace(/\+/g, " "));
    await sqs.send(new SendMessageCommand({
      QueueUrl,
      MessageBody: JSON.stringify({
        eventName: record.eventName, bucket: record.s3.bucket.name, key,
        versionId: record.s3.object.versionId, eventTime: record.eventTime,
        sequencer: record.s3.object.sequencer, size: record.s3.object.size, eTag: record.s3.object.eTag,
      }),
      MessageGroupId: createHash("sha256").update(key).digest("hex"),
      MessageDeduplicationId: `${record.s3.object.versionId}-${record.s3.object.sequencer}`,
    }));
  }
  console.log(JSON.stringify({ level: "INFO", message: "done", forwarded: event.Records.length }));
  return { forwarded: event.Records.length };
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime${path}`, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const { headers, body } = await ask("GET", "/invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(body));
    await ask("POST", `/invocation/${id}/response`, JSON.stringify(answer));
  } catch (error) {
    const told = { errorType: error.name, errorMessage: error.message };
    await ask("POST", `/invocation/${id}/error`, JSON.stringify(told));
  }
}
