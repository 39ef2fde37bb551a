//! What kind of record lies in a failure queue.

use bridge_core::delivery::undeliverable::parking::KIND;
use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::Value;

/// Which event it is, if the body is a record of one that a reseed parked.
pub(super) fn parked(body: &str) -> Option<String> {
    let record: Value = serde_json::from_str(body).ok()?;
    if record["kind"] != KIND {
        return None;
    }
    let job = record["jobId"].as_str().unwrap_or("unknown");
    let code = record["code"].as_str().unwrap_or_default();
    let text = format!("{} of job {job} ({code})", record["sequence"]);
    Some(shown(&text, MOST_SHOWN))
}

/// The function that a record belongs to, if it is another than `function`: both functions of a stack
/// give up into one queue. Lambda writes it into the record; where it does not stand there, what has
/// an `action` was meant for reseed.
pub(super) fn of_another(record: &Value, function: &str) -> Option<String> {
    let name = record["requestContext"]["functionArn"]
        .as_str()
        .map(name_of);
    if let Some(name) = name {
        (name != name_of(function)).then(|| shown(name, MOST_SHOWN))
    } else {
        let payload = record.get("requestPayload").unwrap_or(record);
        payload.get("action").map(|_| "reseed".to_owned())
    }
}

/// The name in `name`, `name:alias` or an ARN, `…:function:name:alias`.
fn name_of(function: &str) -> &str {
    let name = function
        .split_once(":function:")
        .map_or(function, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_belongs_to_the_function_that_lambda_says() {
        let of = |arn: &str, payload: Value| json!({ "requestContext": { "functionArn": arn }, "requestPayload": payload });
        let arn = "arn:aws:lambda:eu-west-1:1:function:s-realtime:$LATEST";
        let reseed = "arn:aws:lambda:eu-west-1:1:function:s-reseed:$LATEST";
        for function in ["s-realtime", "s-realtime:live", arn] {
            assert_eq!(of_another(&of(arn, json!({})), function), None);
            // Whatever a sender wrote.
            assert_eq!(
                of_another(&of(arn, json!({ "action": "x" })), function),
                None
            );
            let other = of_another(&of(reseed, json!({})), function);
            assert_eq!(other.as_deref(), Some("s-reseed"));
            let bare = json!({ "requestPayload": { "action": "continue" } });
            assert_eq!(of_another(&bare, function).as_deref(), Some("reseed"));
            assert_eq!(of_another(&json!({ "Records": [] }), function), None);
        }
    }
}
