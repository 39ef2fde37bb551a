//! S3 and SQS as the demo needs them: five requests, by HTTP. The SDK would take longer to compile than
//! all else of the demo.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// What an S3 path shows as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A client of the local AWS, which checks no signatures.
pub(super) struct Client {
    endpoint: String,
}

impl Client {
    /// Of the local AWS that answers there.
    pub(super) fn new(endpoint: String) -> Self {
        Self { endpoint }
    }

    /// Writes an object and tells its version id.
    ///
    /// # Errors
    /// When S3 refuses it, or tells no version id.
    pub(super) fn put(&self, bucket: &str, key: &str, body: &str) -> anyhow::Result<String> {
        let request = ureq::put(self.object(bucket, key)).header("authorization", credential("s3"));
        let answer = request.send(body);
        version_id(&answer.with_context(|| format!("putting {key}"))?)
    }

    /// Deletes an object and tells the delete marker's version id.
    ///
    /// # Errors
    /// As [`Client::put`].
    pub(super) fn delete(&self, bucket: &str, key: &str) -> anyhow::Result<String> {
        let request =
            ureq::delete(self.object(bucket, key)).header("authorization", credential("s3"));
        let answer = request.call();
        version_id(&answer.with_context(|| format!("deleting {key}"))?)
    }

    /// Reads and deletes messages until `wanted` of them satisfy `counts`, or time is up. Returns
    /// the bodies of those, in the order they came.
    ///
    /// # Errors
    /// When SQS refuses, or a message is not JSON.
    pub(super) fn receive(
        &self,
        queue: &str,
        wanted: usize,
        timeout: Duration,
        counts: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Vec<Value>> {
        let begin = Instant::now();
        let mut received = Vec::new();
        while received.len() < wanted && begin.elapsed() < timeout {
            let input =
                json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
            let answer = self.sqs("ReceiveMessage", &input)?;
            for message in answer["Messages"].as_array().into_iter().flatten() {
                let handle = &message["ReceiptHandle"];
                self.sqs(
                    "DeleteMessage",
                    &json!({ "QueueUrl": queue, "ReceiptHandle": handle }),
                )?;
                let body = message["Body"].as_str().unwrap_or_default();
                let body = serde_json::from_str(body).context("a message that is not JSON")?;
                received.extend(Some(body).filter(&counts));
            }
        }
        Ok(received)
    }

    fn object(&self, bucket: &str, key: &str) -> String {
        let key = utf8_percent_encode(key, PATH);
        format!("{}/{bucket}/{key}", self.endpoint)
    }

    /// An action of SQS, by its JSON protocol.
    fn sqs(&self, action: &str, input: &Value) -> anyhow::Result<Value> {
        let answer = ureq::post(&self.endpoint)
            .header("authorization", credential("sqs"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .send(input.to_string());
        let mut answer = answer.with_context(|| format!("asking SQS for {action}"))?;
        let text = answer.body_mut().read_to_string()?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("SQS answers {action} with: {text}"))
    }
}

/// Says for which service a request is: the local AWS has one address for all.
fn credential(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=none"
    )
}

fn version_id<B>(answer: &ureq::http::Response<B>) -> anyhow::Result<String> {
    let header = answer.headers().get("x-amz-version-id");
    let header = header.context("the bucket tells no version id")?;
    Ok(header.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slashes_and_nothing_that_a_path_would_read_otherwise() {
        let client = Client::new("http://127.0.0.1:1".to_owned());
        assert_eq!(
            client.object("b", "reports/red flower+50%.jpg"),
            "http://127.0.0.1:1/b/reports/red%20flower%2B50%25.jpg"
        );
        assert!(
            client
                .object("b", "日 & <tag>")
                .ends_with("/%E6%97%A5%20%26%20%3Ctag%3E")
        );
    }
}
