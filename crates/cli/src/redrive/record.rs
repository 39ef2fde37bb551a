//! What a message of the failure queue is: told by who put it there, never by what a sender wrote.
//!
//! - Lambda wraps the input of an invocation that it abandoned, and writes whose it was.
//!   Source: AWS Lambda Developer Guide, "Capturing records of asynchronous invocations".
//! - SQS moves a message out of the buffer, and `EventBridge` puts down an event, as they were. SQS
//!   notes the queue that it came from, `EventBridge` its rule. Only realtime is fed by these, and it
//!   gets them as a batch of one: so what stands in a body is read as a notification or not at all. It
//!   is no action, and no record of Lambda, however it looks.
//!   Source: Amazon SQS Developer Guide, `ReceiveMessage`; Amazon `EventBridge` User Guide, "Using
//!   dead-letter queues".

use anyhow::{Context as _, bail};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_history::send::parking::KIND;
use serde_json::{Value, json};

/// What lies in the failure queue.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// An invocation that Lambda abandoned.
    Invocation {
        /// The function's ARN.
        function: String,
        /// Its input.
        payload: Value,
    },
    /// A message that did not get as far, as an SQS event source would hand it over.
    Batch(Value),
}

impl Record {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is not JSON, or Lambda's record does not hold the input.
    pub(super) fn of(message: &Message) -> anyhow::Result<Self> {
        let body = message.body().unwrap_or_default();
        let record: Value =
            serde_json::from_str(body).context("it is not JSON; is this the `OnFailure` queue?")?;
        let arn = record["requestContext"]["functionArn"].as_str();
        if let Some(function) = arn.filter(|arn| is_function(arn) && !is_moved(message)) {
            let Some(payload) = record.get("requestPayload") else {
                bail!(
                    "Lambda's record of {} holds no input",
                    shown(function, MOST_SHOWN)
                );
            };
            return Ok(Self::Invocation {
                function: function.to_owned(),
                payload: payload.clone(),
            });
        }
        let id = message.message_id().unwrap_or_default();
        Ok(Self::Batch(json!({ "Records": [
            { "messageId": id, "eventSource": "aws:sqs", "body": body },
        ]})))
    }
}

/// Which event it is, if the message is one that a reseed parked.
pub(super) fn parked(message: &Message) -> Option<String> {
    let record: Value = serde_json::from_str(message.body()?).ok()?;
    if record["kind"] != KIND || is_moved(message) {
        return None;
    }
    let job = record["jobId"].as_str().unwrap_or("unknown");
    let code = record["code"].as_str().unwrap_or_default();
    let text = format!("{} of job {job} ({code})", record["sequence"]);
    Some(shown(&text, MOST_SHOWN))
}

/// Whether SQS or `EventBridge` put it there.
fn is_moved(message: &Message) -> bool {
    let source = System::DeadLetterQueueSourceArn;
    let by_sqs = message
        .attributes()
        .is_some_and(|a| a.contains_key(&source));
    let by_bus = message.message_attributes();
    by_sqs || by_bus.is_some_and(|a| a.contains_key("RULE_ARN"))
}

fn is_function(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":function:")
}

/// Whether the function of this ARN is the one that somebody calls so: by its name, `name:alias`, or
/// an ARN or its end, `account:function:name`.
pub(super) fn is_called(arn: &str, called: &str) -> bool {
    let (account, name) = parts(arn);
    let (called_account, called_name) = parts(called);
    name == called_name && account.ends_with(called_account)
}

/// The function's name in an ARN, or how an operator calls it.
pub(super) fn name_of(function: &str) -> &str {
    parts(function).1
}

/// What stands before `function:`, and the name.
fn parts(function: &str) -> (&str, &str) {
    let (account, name) = function.split_once(":function:").unwrap_or(("", function));
    (account, name.split(':').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;

    use super::*;

    const REALTIME: &str = "arn:aws:lambda:eu-west-1:1:function:s-realtime:$LATEST";
    const RESEED: &str = "arn:aws:lambda:eu-west-1:1:function:s-reseed:$LATEST";

    fn message(body: &Value) -> Message {
        Message::builder()
            .message_id("m")
            .body(body.to_string())
            .build()
    }

    fn of(arn: &str, payload: &Value) -> Value {
        json!({ "requestContext": { "functionArn": arn }, "requestPayload": payload })
    }

    #[test]
    fn a_function_is_called_by_its_name_or_arn_and_by_no_other() {
        for called in [
            "s-realtime",
            "s-realtime:live",
            "1:function:s-realtime",
            REALTIME,
        ] {
            assert!(is_called(REALTIME, called), "{called}");
            assert!(!is_called(RESEED, called), "{called}");
        }
        // Of another account or region.
        for called in [
            "arn:aws:lambda:eu-west-1:2:function:s-realtime",
            "arn:aws:lambda:eu-west-2:1:function:s-realtime",
            "2:function:s-realtime",
        ] {
            assert!(!is_called(REALTIME, called), "{called}");
        }
    }

    #[test]
    fn an_invocation_is_of_the_function_that_lambda_says_whatever_its_input() {
        for payload in [
            json!({}),
            json!({ "action": "continue" }),
            json!({ "requestContext": { "functionArn": RESEED } }),
        ] {
            let read = Record::of(&message(&of(REALTIME, &payload))).unwrap();
            let function = REALTIME.to_owned();
            assert_eq!(read, Record::Invocation { function, payload });
        }
        let without = json!({ "requestContext": { "functionArn": REALTIME } });
        let error = Record::of(&message(&without)).unwrap_err().to_string();
        assert!(error.contains("holds no input"), "{error}");
    }

    #[test]
    fn what_was_moved_is_a_message_of_realtimes_whatever_it_holds() {
        let forged = [
            json!({ "action": "start" }),
            json!({ "prefix": "" }),
            json!({ "requestPayload": { "action": "start" } }),
            json!({ "requestContext": { "functionArn": "s-reseed" }, "requestPayload": {} }),
        ];
        for body in &forged {
            assert_batch(&message(body), body);
        }
        // Even where it looks like a record of Lambda.
        let forged = of(RESEED, &json!({ "action": "start" }));
        let mut by_sqs = message(&forged);
        by_sqs.attributes = Some(
            [(
                System::DeadLetterQueueSourceArn,
                "arn:aws:sqs:…:buffer".to_owned(),
            )]
            .into(),
        );
        assert_batch(&by_sqs, &forged);
        let mut by_bus = message(&forged);
        let rule = MessageAttributeValue::builder().data_type("String").build();
        by_bus.message_attributes = Some([("RULE_ARN".to_owned(), rule.unwrap())].into());
        assert_batch(&by_bus, &forged);
    }

    #[test]
    fn only_a_reseed_parks() {
        let mut record =
            message(&json!({ "kind": KIND, "jobId": "j", "sequence": 7, "code": "C" }));
        assert_eq!(parked(&record).as_deref(), Some("7 of job j (C)"));
        assert_eq!(parked(&message(&json!({ "Records": [] }))), None);
        let source = System::DeadLetterQueueSourceArn;
        record.attributes = Some([(source, "arn:aws:sqs:…:buffer".to_owned())].into());
        assert_eq!(
            parked(&record),
            None,
            "whoever sends to the buffer parks nothing"
        );
    }

    fn assert_batch(message: &Message, body: &Value) {
        let Record::Batch(batch) = Record::of(message).unwrap() else {
            panic!("{body} is taken for an invocation");
        };
        let record = &batch["Records"][0];
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["body"], body.to_string());
    }
}
