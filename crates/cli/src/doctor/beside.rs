//! Asks what stands beside a stack: the schedule of its sweep, its second queue, and the keys of KMS.

use std::collections::{BTreeMap, BTreeSet};

use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::{KMS, SCHEDULER};
use bridge_core::watched::NoAnswer;
use serde_json::{Value, json};

use crate::doctor::facts::{Answer, Attributes, Key, Schedule};
use crate::stack::Stack;

/// AWS's own key of SQS, which has no policy of one's own.
/// Source: Amazon SQS Developer Guide, "Key management".
pub(super) const KEY_OF_SQS: &str = "alias/aws/sqs";

/// The schedule that the template names so.
pub(super) async fn schedule(config: &SdkConfig, stack: &Stack) -> Answer<Schedule> {
    let client = ServiceClient::new(SCHEDULER, config, sdk::connector());
    let path = format!("schedules/{}?groupName=default", stack.sweep());
    let found = read("GetSchedule", client.get(&path).await)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Schedule {
        state: text(&found["State"]),
        expression: text(&found["ScheduleExpression"]),
        target: text(&found["Target"]["Arn"]),
        input: text(&found["Target"]["Input"]),
    })
}

/// Where the queue of `ReplayQueueArn` is.
pub(super) fn replay_url(stack: &Stack) -> Option<String> {
    let beside = stack.outputs.get("QueueUrl")?;
    url_of(stack.parameter("ReplayQueueArn"), beside)
}

/// The URL of a queue by its ARN, where that of another one of the same region is `beside`.
fn url_of(arn: &str, beside: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(4);
    let (account, name) = (parts.next()?, parts.next()?);
    let host = beside.rsplitn(3, '/').nth(2)?;
    Some(format!("{host}/{account}/{name}"))
}

/// The keys that the stack and these queues name, but for AWS's own.
pub(super) async fn keys<'a>(
    config: &SdkConfig,
    stack: &'a Stack,
    queues: impl Iterator<Item = &'a Attributes>,
) -> BTreeMap<String, Answer<Key>> {
    let of_queues = queues.filter_map(|queue| queue.get("KmsMasterKeyId"));
    let named: BTreeSet<&str> = of_queues
        .map(String::as_str)
        .chain([stack.parameter("KmsKeyArn")])
        .filter(|id| !id.is_empty() && *id != KEY_OF_SQS)
        .collect();
    let client = ServiceClient::new(KMS, config, sdk::connector());
    let mut keys = BTreeMap::new();
    for id in named {
        keys.insert(id.to_owned(), key(&client, id).await);
    }
    keys
}

async fn key(client: &ServiceClient, id: &str) -> Answer<Key> {
    let body = json!({ "KeyId": id }).to_string();
    let found = read("DescribeKey", client.call("DescribeKey", body.into()).await)?;
    let of_key = |name: &str| found["KeyMetadata"][name].as_str().unwrap_or_default();
    let arn = of_key("Arn").to_owned();
    // It takes no alias.
    let body = json!({ "KeyId": arn, "PolicyName": "default" }).to_string();
    let policy = client.call("GetKeyPolicy", body.into()).await;
    let policy = read("GetKeyPolicy", policy).map(|found| {
        let policy = found["Policy"].as_str();
        policy.unwrap_or_default().to_owned()
    });
    Ok(Key {
        state: of_key("KeyState").to_owned(),
        arn,
        policy,
    })
}

/// A document that was answered.
fn read(operation: &str, answer: Result<bytes::Bytes, RequestError>) -> Answer<Value> {
    serde_json::from_slice(&answer?).map_err(|error| NoAnswer {
        is_refused: false,
        reason: format!("{operation} was answered with what is no JSON: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_where_another_of_its_region_is() {
        let arn = "arn:aws:sqs:eu-west-1:222222222222:replay.fifo";
        for (beside, expected) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/1/s-events.fifo",
                "https://sqs.eu-west-1.amazonaws.com/222222222222/replay.fifo",
            ),
            (
                "http://127.0.0.1:4566/1/s-events.fifo",
                "http://127.0.0.1:4566/222222222222/replay.fifo",
            ),
        ] {
            assert_eq!(url_of(arn, beside).as_deref(), Some(expected));
        }
        assert_eq!(url_of("", "https://sqs.eu-west-1.amazonaws.com/1/q"), None);
    }
}
