//! The reseed function's input (docs/OPERATIONS.md).

use bridge_core::config;
use bridge_core::config::Config;
use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::timestamp::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::api::list;
use crate::id::{Epoch, JobId};
use crate::job::error::JobError;
use crate::job::options::Options;
use crate::job::place::Place;
use crate::scan::filter::{Events, Filter};
use crate::send::parking::OnUndeliverable;
use crate::send::target::Target;

/// The most records of a message: about 1 MiB has room for half of it.
const MAX_RECORDS: usize = 5_000;

/// The longest key, bytes, and so the longest prefix that any key can have.
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
const MAX_PREFIX: usize = 1024;

/// The most events a second that may be asked for: more than any queue takes.
const MAX_RATE: u64 = 1_000_000;

/// The deepest queue that may be asked for: more than any consumer leaves.
const MAX_DEPTH: u64 = 1_000_000_000_000;

/// The longest queue URL, bytes: a queue's name has 80 at most, a host's 253.
const MAX_URL: usize = 512;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Start a job; `{}` alone starts a full reseed.
    Start(StartRequest),
    /// Tell about a job.
    Status(JobRef),
    /// Tell about all jobs, a page at a time.
    List(ListRequest),
    /// Stop a job; it may continue.
    Pause(JobRef),
    /// Continue.
    Resume(ResumeRequest),
    /// Stop a job for good.
    Cancel(JobRef),
    /// Internal: work on a job.
    Continue(ContinueRequest),
    /// Internal: continue jobs whose segment died.
    Sweep,
    /// Whether everything the function needs is there.
    Health,
}

/// Names a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobRef {
    /// The job.
    pub job_id: JobId,
}

/// Which page of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListRequest {
    /// What the page before told as its `next`; absent: the first page.
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
        Err(bad(format!(
            "limit: found {limit}, allowed is 1 to {}",
            list::MOST_OF_PAGE
        )))
    }
}

fn token<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Place>, D::Error> {
    let text = String::deserialize(from)?;
    let place = Place::parse(&text).ok_or_else(|| {
        let text = shown(&text, MOST_ECHOED);
        D::Error::custom(format!(
            "next: found {text:?}, allowed is what a list told as its next"
        ))
    })?;
    Ok(Some(place))
}

/// Names a job, and how it is to continue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeRequest {
    /// The job.
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

/// The options of a reseed; absent ones are the stack's defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StartRequest {
    /// Keys that begin so.
    pub prefix: Option<String>,
    /// Effective time not before.
    pub from: Option<Timestamp>,
    /// Effective time before; default the job's start.
    pub until: Option<Timestamp>,
    /// `key`, `bucket` or `none`.
    pub order: Option<String>,
    /// `bridge` or `s3`.
    pub format: Option<Format>,
    /// Records a message holds at most, 1 to 5,000; more than one only with `format` `s3`.
    pub records_per_message: Option<usize>,
    /// `strict` or `batched`.
    pub delivery: Mode,
    /// Only latest versions that are not deleted.
    pub current_only: bool,
    /// `all`, `created` or `removed`.
    pub events: Events,
    /// Another queue than the stack's.
    pub queue_url: Option<String>,
    /// Events a second, at most.
    pub max_rate: Option<u64>,
    /// Wait while more messages than this are in the queue.
    pub pause_above_depth: Option<u64>,
    /// Plan only.
    pub dry_run: bool,
    /// Fail at the first key whose order the bucket's listing does not tell, instead of counting it.
    pub refuse_ambiguous: bool,
    /// `stop` (default): fail at an event that the queue refuses for good; `park`: keep it in the
    /// failure queue and continue.
    pub on_undeliverable: OnUndeliverable,
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
            return Err(bad(format!(
                "the input must be a JSON object such as {{\"action\":\"start\"}}, found {input}"
            )));
        };
        let action = match fields.remove("action") {
            None => "start".to_owned(),
            Some(Value::String(action)) => action,
            Some(other) => return Err(bad(format!("action: found {other}, allowed is a text"))),
        };
        check_job_id(fields.get("jobId"))?;
        let rest = Value::Object(fields);
        Ok(match action.as_str() {
            "start" => Self::Start(read(rest, &action)?),
            "status" => Self::Status(read(rest, &action)?),
            "pause" => Self::Pause(read(rest, &action)?),
            "resume" => Self::Resume(read(rest, &action)?),
            "cancel" => Self::Cancel(read(rest, &action)?),
            "continue" => Self::Continue(read(rest, &action)?),
            "list" => Self::List(read(rest, &action)?),
            "sweep" => read(rest, &action).map(|Nothing {}| Self::Sweep)?,
            "health" => read(rest, &action).map(|Nothing {}| Self::Health)?,
            other => {
                return Err(bad(format!(
                    "action: found {other:?}, allowed is start, status, list, pause, resume, \
                     cancel or health"
                )));
            }
        })
    }
}

impl StartRequest {
    /// Fills in the stack's defaults and checks what was asked.
    ///
    /// # Errors
    /// [`JobError::BadRequest`], naming the field.
    pub fn resolve(&self, config: &Config, now: Timestamp) -> Result<Options, JobError> {
        for (name, text, most) in [
            ("prefix", &self.prefix, MAX_PREFIX),
            ("queueUrl", &self.queue_url, MAX_URL),
            ("order", &self.order, MAX_URL),
        ] {
            let bytes = text.as_ref().map_or(0, String::len);
            if bytes > most {
                return Err(bad(format!(
                    "{name}: found {bytes} bytes, allowed are {most}"
                )));
            }
        }
        let target = match &self.queue_url {
            None => Target::parse(&config.queue_url),
            Some(url) => {
                config::check_queue_url("queueUrl", url).map_err(|e| bad(e.to_string()))?;
                Target::Queue(url.clone())
            }
        };
        let order = match (&self.order, &self.queue_url) {
            (None, None) => config.order,
            (None, Some(_)) => target.default_order(),
            (Some(word), _) => target
                .parse_order(word)
                .map_err(|allowed| bad(format!("order: found {word:?}, allowed is {allowed}")))?,
        };
        for (name, number, least, most) in [
            ("maxRate", self.max_rate, 1, MAX_RATE),
            ("pauseAboveDepth", self.pause_above_depth, 0, MAX_DEPTH),
        ] {
            if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
                return Err(bad(format!(
                    "{name}: found {number}, allowed is {least} to {most}"
                )));
            }
        }
        let format = self.format.unwrap_or(config.format);
        let records_per_message = self.records_per_message.unwrap_or(1);
        check_records("recordsPerMessage", records_per_message, format).map_err(bad)?;
        let until = self.until.unwrap_or(now);
        if let Some(from) = self.from.filter(|from| *from >= until) {
            return Err(bad(format!(
                "from: found {from}, allowed is a time before until ({until})"
            )));
        }
        Ok(Options {
            filter: Filter {
                prefix: self
                    .prefix
                    .clone()
                    .unwrap_or_else(|| config.key_prefix.clone()),
                suffix: config.key_suffix.clone(),
                from: self.from,
                until: Some(until),
                events: self.events,
                current_only: self.current_only,
            },
            order,
            format,
            delivery: self.delivery,
            records_per_message,
            target,
            max_rate: self.max_rate,
            pause_above_depth: self.pause_above_depth,
            dry_run: self.dry_run,
            refuse_ambiguous: self.refuse_ambiguous,
            on_undeliverable: self.on_undeliverable,
        })
    }
}

/// Checks how many records a message may hold; `name` is how the user calls it.
///
/// # Errors
/// What was found and what is allowed.
pub fn check_records(name: &str, records: usize, format: Format) -> Result<(), String> {
    match (records, format) {
        (1, _) | (2..=MAX_RECORDS, Format::S3) => Ok(()),
        (2.., Format::Bridge) => Err(format!(
            "{name}: found {records}, allowed is 1: a message in the bridge format is one event; \
             choose the s3 format"
        )),
        _ => Err(format!(
            "{name}: found {records}, allowed is 1 to {MAX_RECORDS}"
        )),
    }
}

/// Whatever action it is for: an id is a key of the table and part of names in the plan bucket.
fn check_job_id(found: Option<&Value>) -> Result<(), JobError> {
    match found {
        Some(Value::String(id)) => {
            let parsed = id.parse::<JobId>();
            parsed.map(drop).map_err(|e| bad(format!("jobId: {e}")))
        }
        _ => Ok(()), // told by what reads the fields
    }
}

fn read<T: serde::de::DeserializeOwned>(rest: Value, action: &str) -> Result<T, JobError> {
    serde_json::from_value(rest).map_err(|e| bad(format!("action {action:?}: {e}")))
}

/// Bytes of a text that an error repeats and says more behind.
const MOST_ECHOED: usize = 200;

/// It quotes what was found, which may be long.
fn bad(text: String) -> JobError {
    JobError::BadRequest(shown(&text, MOST_SHOWN))
}

#[cfg(test)]
mod tests {
    use bridge_core::queue::ordering::Order;
    use proptest::prelude::*;

    use super::*;

    fn config() -> Config {
        Config::read(&|name| {
            (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
        })
        .unwrap()
    }

    fn refused(input: Value) -> String {
        let now = Timestamp(1_700_000_000_000);
        match Request::parse(input) {
            Err(error) => error.to_string(),
            Ok(Request::Start(start)) => start.resolve(&config(), now).unwrap_err().to_string(),
            Ok(Request::List(list)) => list.most().unwrap_err().to_string(),
            Ok(other) => panic!("accepted as {other:?}"),
        }
    }

    #[test]
    fn an_empty_input_starts_a_full_reseed_up_to_now() {
        let Request::Start(start) = Request::parse(json!({})).unwrap() else {
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
                ["list", "next: found \"xxx", "a list told"],
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
    fn what_was_found_is_told_in_bounds() {
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

    /// Every field at its longest: how long an item of the table whoever may start jobs can make.
    #[test]
    fn the_longest_request_makes_a_short_job() {
        let long = json!({
            "prefix": "p".repeat(1024),
            "from": "-009998-01-02T00:00:00.000000000+00:00",
            "until": "9999-12-30T00:00:00.000000000+00:00",
            "order": "bucket",
            "format": "s3",
            "recordsPerMessage": 5_000,
            "delivery": "batched",
            "currentOnly": true,
            "events": "created",
            "queueUrl": format!("https://sqs.x/1/{}.fifo", "q".repeat(490)),
            "maxRate": 1_000_000,
            "onUndeliverable": "park",
            "pauseAboveDepth": MAX_DEPTH,
            "dryRun": true,
            "refuseAmbiguous": true,
        });
        let Request::Start(start) = Request::parse(long.clone()).unwrap() else {
            panic!("not a start");
        };
        let options = start.resolve(&config(), Timestamp(0)).unwrap();
        let bytes = json!(options).to_string().len();
        assert!(bytes < 2_500, "{bytes} bytes");
        // A field that is new is to be given its bound here.
        let fields = json!(StartRequest::default());
        let fields: Vec<_> = fields.as_object().unwrap().keys().collect();
        assert_eq!(fields, long.as_object().unwrap().keys().collect::<Vec<_>>());
    }

    #[test]
    fn another_queue_brings_its_own_default_order() {
        let start = StartRequest {
            queue_url: Some("https://sqs.x/1/standard".to_owned()),
            ..StartRequest::default()
        };
        assert_eq!(
            start.resolve(&config(), Timestamp(5)).unwrap().order,
            Order::None
        );
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
