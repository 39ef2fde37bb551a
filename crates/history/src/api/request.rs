//! The reseed function's input (docs/OPERATIONS.md).

use bridge_core::text::shown;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::api::list;
use crate::api::start::StartRequest;
use crate::id::{Epoch, JobId};
use crate::job::error::JobError;
use crate::job::place::Place;
use crate::send::parking::OnUndeliverable;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Something about jobs.
    Action(Action),
    /// Internal: work on a job.
    Continue(ContinueRequest),
    /// Internal: continue jobs whose segment died.
    Sweep,
    /// Whether everything the function needs is there, and may be used.
    Health(HealthRequest),
}

/// What an operator asks for: the same of the function, and of a process that serves.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Start a job; `{}` alone starts a full reseed.
    Start(StartRequest),
    /// Report a job.
    Status(JobRef),
    /// Report all jobs, a page at a time.
    List(ListRequest),
    /// Stop a job; it may continue.
    Pause(JobRef),
    /// Continue.
    Resume(ResumeRequest),
    /// Stop a job for good.
    Cancel(JobRef),
}

impl Action {
    /// The job that it changes, if it changes one.
    #[must_use]
    pub fn changes(&self) -> Option<&JobId> {
        match self {
            Self::Start(_) | Self::Status(_) | Self::List(_) => None,
            Self::Pause(job) | Self::Cancel(job) => Some(&job.job_id),
            Self::Resume(job) => Some(&job.job_id),
        }
    }
}

/// How it is to be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthRequest {
    /// Also write a plan object and read it back; else nothing is written.
    pub write: bool,
    /// Also ask this queue, as a job of this `queueUrl` would be asked for.
    pub queue_url: Option<String>,
}

/// Names a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobRef {
    /// The job.
    #[serde(deserialize_with = "job_id")]
    pub job_id: JobId,
}

/// Which page of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListRequest {
    /// What the page before gave as its `next`; absent: the first page.
    #[serde(deserialize_with = "token")]
    pub next: Option<Place>,
    /// Jobs of the page, 1 to 100; fewer come where they are long.
    pub limit: Option<usize>,
}

impl ListRequest {
    /// Jobs of the page, at most.
    ///
    /// # Errors
    /// [`JobError::BadRequest`], when it is none or too many.
    pub fn most(&self) -> Result<usize, JobError> {
        let limit = self.limit.unwrap_or(list::PAGE);
        if (1..=list::MOST_OF_PAGE).contains(&limit) {
            return Ok(limit);
        }
        Err(JobError::bad_request(format!(
            "limit: found {limit}, allowed is 1 to {}",
            list::MOST_OF_PAGE
        )))
    }
}

/// An id is a key of the table and part of names in the plan bucket.
fn job_id<'de, D: Deserializer<'de>>(from: D) -> Result<JobId, D::Error> {
    let parsed = String::deserialize(from)?.parse();
    parsed.map_err(|e| D::Error::custom(format!("jobId: {e}")))
}

fn token<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Place>, D::Error> {
    let text = String::deserialize(from)?;
    let place = Place::parse(&text).ok_or_else(|| {
        let text = shown(&text, MOST_ECHOED);
        D::Error::custom(format!(
            "next: found {text:?}, allowed is what a list answered as its next"
        ))
    })?;
    Ok(Some(place))
}

/// Names a job, and how it is to continue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeRequest {
    /// The job.
    #[serde(deserialize_with = "job_id")]
    pub job_id: JobId,
    /// `stop` or `park`; absent: as before.
    #[serde(default)]
    pub on_undeliverable: Option<OnUndeliverable>,
}

/// Names a job and the epoch it was left at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContinueRequest {
    /// The job.
    #[serde(deserialize_with = "job_id")]
    pub job_id: JobId,
    /// The epoch of the segment that asks.
    pub epoch: Epoch,
}

impl ContinueRequest {
    /// The input that asks for it.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({ "action": "continue", "jobId": self.job_id, "epoch": self.epoch }).to_string()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Request {
    /// Reads the input.
    ///
    /// # Errors
    /// [`JobError::BadRequest`], naming the unknown action or field.
    pub fn parse(input: Value) -> Result<Self, JobError> {
        let Value::Object(mut fields) = input else {
            return Err(JobError::bad_request(format!(
                "the input must be a JSON object such as {{\"action\":\"start\"}}, found {input}"
            )));
        };
        let action = match fields.remove("action") {
            None => "start".to_owned(),
            Some(Value::String(action)) => action,
            Some(other) => {
                return Err(JobError::bad_request(format!(
                    "action: found {other}, allowed is a text"
                )));
            }
        };
        let rest = Value::Object(fields);
        Ok(match action.as_str() {
            "start" => Self::Action(Action::Start(read(rest, &action)?)),
            "status" => Self::Action(Action::Status(read(rest, &action)?)),
            "pause" => Self::Action(Action::Pause(read(rest, &action)?)),
            "resume" => Self::Action(Action::Resume(read(rest, &action)?)),
            "cancel" => Self::Action(Action::Cancel(read(rest, &action)?)),
            "list" => Self::Action(Action::List(read(rest, &action)?)),
            "continue" => Self::Continue(read(rest, &action)?),
            "sweep" => read(rest, &action).map(|Nothing {}| Self::Sweep)?,
            "health" => Self::Health(read(rest, &action)?),
            other => {
                return Err(JobError::bad_request(format!(
                    "action: found {other:?}, allowed is start, status, list, pause, resume, \
                     cancel or health"
                )));
            }
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(rest: Value, action: &str) -> Result<T, JobError> {
    serde_json::from_value(rest)
        .map_err(|e| JobError::bad_request(format!("action {action:?}: {e}")))
}

/// Bytes of a text that an error repeats and says more behind.
const MOST_ECHOED: usize = 200;

#[cfg(test)]
mod tests {
    use bridge_core::queue::ordering::Order;
    use bridge_core::timestamp::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::api::start::tests::config;

    fn refused(input: Value) -> String {
        let now = Timestamp(1_700_000_000_000);
        match Request::parse(input) {
            Err(error) => error.to_string(),
            Ok(Request::Action(Action::Start(start))) => {
                start.resolve(&config(), now).unwrap_err().to_string()
            }
            Ok(Request::Action(Action::List(list))) => list.most().unwrap_err().to_string(),
            Ok(other) => panic!("accepted as {other:?}"),
        }
    }

    #[test]
    fn an_empty_input_starts_a_full_reseed_up_to_now() {
        let Request::Action(Action::Start(start)) = Request::parse(json!({})).unwrap() else {
            panic!("not a start");
        };
        let options = start.resolve(&config(), Timestamp(5)).unwrap();
        assert_eq!(options.filter.until, Some(Timestamp(5)));
        assert_eq!(options.order, Order::Key);
        assert!(!options.dry_run);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (input, parts) in [
            (
                json!({"action": "begin"}),
                ["action", "\"begin\"", "start, status"],
            ),
            (
                json!({"prefx": "a"}),
                ["prefx", "unknown field", "`prefix`"],
            ),
            (
                json!({"action": "list", "jobId": "x"}),
                ["list", "unknown field", "jobId"],
            ),
            (
                json!({"action": "status"}),
                ["status", "missing field", "jobId"],
            ),
            (
                json!({"from": "yesterday"}),
                ["\"yesterday\"", "time", "2024"],
            ),
            (
                json!({"order": "time"}),
                ["order", "\"time\"", "key, bucket or none"],
            ),
            (json!({"format": "xml"}), ["xml", "bridge", "s3"]),
            (
                json!({"maxRate": 0}),
                ["maxRate", "found 0", "1 to 1000000"],
            ),
            (
                json!({"maxRate": u64::MAX}),
                ["maxRate", "18446744073709551615", "1 to 1000000"],
            ),
            (
                json!({"pauseAboveDepth": u64::MAX}),
                ["pauseAboveDepth", "18446744073709551615", "0 to"],
            ),
            (json!({"maxRate": -1}), ["start", "-1", "u64"]),
            (
                json!({"action": "status", "jobId": "../x"}),
                ["jobId", "\"../x\"", "20240501-1a2b3c4d-1"],
            ),
            (
                json!({"action": "continue", "jobId": "x".repeat(65), "epoch": 1}),
                ["jobId", "xxx", "64 at most"],
            ),
            (
                json!({"action": "list", "next": "x".repeat(300_000)}),
                ["list", "next: found \"xxx", "a list answered"],
            ),
            (
                json!({"action": "list", "limit": 101}),
                ["limit", "101", "1 to 100"],
            ),
            (
                json!({"recordsPerMessage": 10}),
                ["recordsPerMessage", "10", "s3 format"],
            ),
            (
                json!({"recordsPerMessage": 0, "format": "s3"}),
                ["recordsPerMessage", "0", "1 to 5000"],
            ),
            (json!({"delivery": "fast"}), ["fast", "strict", "batched"]),
            (json!({"onUndeliverable": "skip"}), ["skip", "stop", "park"]),
            (
                json!({"action": "resume", "jobId": "j", "onUndeliverable": "skip"}),
                ["skip", "stop", "park"],
            ),
            (
                json!({"action": "pause", "jobId": "j", "onUndeliverable": "park"}),
                ["pause", "unknown field", "onUndeliverable"],
            ),
            (json!({"queueUrl": "q"}), ["queueUrl", "\"q\"", "URL"]),
            (
                json!({"queueUrl": "https://sqs.x/1/q", "order": "key"}),
                ["order", "standard queue", "none"],
            ),
            (
                json!({"from": "2024-05-02T00:00:00Z", "until": "2024-05-01T00:00:00Z"}),
                ["from", "2024-05-02", "before until"],
            ),
            (
                json!({"prefix": "p".repeat(1025)}),
                ["prefix", "1025 bytes", "1024"],
            ),
            (
                json!({"queueUrl": format!("https://sqs.x/1/{}", "q".repeat(600))}),
                ["queueUrl", "616 bytes", "512"],
            ),
            (json!([1]), ["JSON object", "[1]", "start"]),
        ] {
            let error = refused(input);
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in: {error}");
            }
        }
    }

    #[test]
    fn what_was_found_is_repeated_in_bounds() {
        let long = "x\u{1b}\n".repeat(100_000);
        for input in [
            json!({ "action": long }),
            json!({ long.clone(): 1 }),
            json!({ "queueUrl": long }),
            json!({ "order": long }),
            json!({ "action": { "name": long } }),
            json!([long]),
        ] {
            let error = refused(input);
            assert!(error.len() < 1_100, "{} bytes", error.len());
            assert!(!error.contains(['\u{1b}', '\n']), "{error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_input_never_panics(text in "\\PC{0,60}") {
            let _ = Request::parse(json!({"action": text.clone()}));
            let _ = Request::parse(json!({text.clone(): text.clone(), "action": "start"}));
            if let Ok(value) = serde_json::from_str(&text) {
                let _ = Request::parse(value);
            }
        }
    }
}
