//! What the stream of the job table hands over: jobs as they were written.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::state::Job;
use serde::Deserialize;
use serde_json::Value;

use crate::jobs::read;

/// Jobs as they were written, those of one job in the order of their writes.
#[derive(Debug, Clone)]
pub struct WrittenJobs {
    /// The part of AWS that the table is in: `aws`, `aws-cn` …
    pub partition: String,
    /// Each write, or why it cannot be read.
    pub writes: Vec<Result<Job, JobStoreError>>,
}

/// One write, as Lambda's event source mapping hands it over.
/// Source: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon `DynamoDB`".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "eventSourceARN", default)]
    event_source_arn: String,
    dynamodb: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    /// Absent where an item was deleted.
    new_image: Option<HashMap<String, Attribute>>,
}

/// An attribute's value; sets and bytes, which a job has none of, are not read.
/// Source: Amazon `DynamoDB` API Reference, "`AttributeValue`".
#[derive(Deserialize)]
enum Attribute {
    S(String),
    N(String),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    L(Vec<Self>),
    M(HashMap<String, Self>),
}

impl From<Attribute> for AttributeValue {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::S(text) => Self::S(text),
            Attribute::N(digits) => Self::N(digits),
            Attribute::Bool(is) => Self::Bool(is),
            Attribute::Null(is) => Self::Null(is),
            Attribute::L(list) => Self::L(list.into_iter().map(Self::from).collect()),
            Attribute::M(map) => Self::M(values(map)),
        }
    }
}

fn values(map: HashMap<String, Attribute>) -> HashMap<String, AttributeValue> {
    let values = map.into_iter();
    values.map(|(name, value)| (name, value.into())).collect()
}

impl WrittenJobs {
    /// Reads what a function was invoked with; `None` where it is not from a stream.
    #[must_use]
    pub fn read(input: &Value) -> Option<Self> {
        let records = input.get("Records")?.as_array()?;
        if records.iter().any(|r| r["eventSource"] != "aws:dynamodb") {
            return None;
        }
        let mut partition = None;
        let mut writes = Vec::new();
        for record in records {
            match Record::deserialize(record) {
                Ok(record) => {
                    let arn = record.event_source_arn.split(':').nth(1);
                    partition = partition.or(arn.map(ToOwned::to_owned));
                    writes.extend(record.dynamodb.new_image.map(|item| read(values(item))));
                }
                Err(error) => writes.push(Err(JobStoreError::Unreadable {
                    job_id: JobId::stored(String::new()),
                    reason: format!("the table's stream gave no item: {error}"),
                })),
            }
        }
        Some(Self {
            partition: partition.unwrap_or_else(|| "aws".to_owned()),
            writes,
        })
    }
}

#[cfg(test)]
mod tests {
    use bridge_history::job::phase::Phase;
    use bridge_history::job::transition::Transition;
    use serde_json::json;

    use super::*;

    fn batch(images: &[Option<Value>]) -> Value {
        let records = images.iter().map(|image| {
            let mut change = json!({ "Keys": { "jobId": { "S": "j-1" } }, "SequenceNumber": "1" });
            if let Some(image) = image {
                change["NewImage"] = image.clone();
            }
            json!({
                "eventSource": "aws:dynamodb", "eventName": "MODIFY", "dynamodb": change,
                "eventSourceARN": "arn:aws-cn:dynamodb:cn-north-1:1:table/jobs/stream/2026",
            })
        });
        json!({ "Records": records.collect::<Vec<_>>() })
    }

    fn image() -> Value {
        json!({
            "jobId": { "S": "20240501-1a2b3c4d-1" }, "phase": { "S": "done" },
            "epoch": { "N": "2" }, "revision": { "N": "9" }, "transition": { "S": "done" },
            "bucket": { "S": "ledger" },
            "options": { "M": {
                "filter": { "M": { "until": { "S": "2024-05-01T12:00:00.000Z" }, "events": { "S": "all" },
                    "currentOnly": { "BOOL": false }, "prefix": { "S": "" }, "suffix": { "S": "" } } },
                "order": { "S": "key" }, "format": { "S": "bridge" },
                "queueUrl": { "S": "https://sqs.x/1/q.fifo" }, "dryRun": { "BOOL": false },
                "maxRate": { "NULL": true },
            } },
            "digest": { "S": "1a2b3c4d" },
            "checkpoint": { "M": { "sequence": { "N": "7" } } },
            "counts": { "M": { "segments": { "N": "2" }, "pages": { "N": "3" }, "listed": { "N": "7" },
                "failures": { "N": "0" } } },
            "createdAt": { "S": "2024-05-01T12:00:00.000Z" },
            "updatedAt": { "S": "2024-05-01T12:00:09.000Z" },
        })
    }

    #[test]
    fn what_was_written_is_read_in_its_order_and_what_was_deleted_is_not() {
        let written = WrittenJobs::read(&batch(&[None, Some(image())])).unwrap();
        assert_eq!(written.partition, "aws-cn");
        let [Ok(job)] = written.writes.as_slice() else {
            panic!("{:?}", written.writes);
        };
        assert_eq!(
            (job.job_id.as_str(), job.phase, job.transition),
            ("20240501-1a2b3c4d-1", Phase::Done, Some(Transition::Done))
        );
        assert_eq!(job.checkpoint.sequence, 7);
    }

    #[test]
    fn what_is_no_job_is_named_and_harms_no_other() {
        let mut strange = image();
        strange["phase"] = json!({ "S": "resting" });
        let mut bytes = image();
        bytes["lastError"] = json!({ "B": "AA==" });
        let images = [Some(strange), Some(bytes), Some(image())];
        let written = WrittenJobs::read(&batch(&images)).unwrap().writes;
        let [Err(strange), Err(bytes), Ok(_)] = written.as_slice() else {
            panic!("{written:?}");
        };
        assert!(
            strange.to_string().contains("20240501-1a2b3c4d-1"),
            "{strange}"
        );
        assert!(bytes.to_string().contains("no item"), "{bytes}");
    }

    #[test]
    fn what_is_not_from_a_stream_is_left_to_others() {
        for other in [
            json!({}),
            json!({ "action": "sweep" }),
            json!({ "Records": "all" }),
            json!({ "Records": [{ "eventSource": "aws:sqs", "body": "" }] }),
        ] {
            assert!(WrittenJobs::read(&other).is_none(), "{other}");
        }
    }
}
