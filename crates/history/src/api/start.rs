//! The options of a reseed as they are asked for, checked and filled in.

use bridge_core::config;
use bridge_core::config::Config;
use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::then::{Given, check_fields};
use crate::job::error::JobError;
use crate::job::handover::Then;
use crate::job::options::Options;
use crate::plan::elsewhere::place::PlanSource;
use crate::scan::filter::{Events, Filter};
use crate::send::parking::OnUndeliverable;
use crate::send::target::Target;

/// The most records of a message: about 1 MiB has room for half of it.
const MAX_RECORDS: usize = 5_000;

/// The longest key, bytes, and so the longest prefix that any key can have.
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
const MAX_PREFIX: usize = 1024;

/// The most events a second that may be asked for: more than any queue takes.
pub const MAX_RATE: u64 = 1_000_000;

/// The deepest queue that may be asked for: more than any consumer leaves.
const MAX_DEPTH: u64 = 1_000_000_000_000;

/// The longest name of a plan's manifest, bytes: a bucket's and a key's.
const MAX_PLAN: usize = 1_100;

/// The longest queue URL, bytes: a queue's name has 80 at most, a host's 253.
const MAX_URL: usize = 512;

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
    /// `live`: what happens meanwhile and from then on follows in the same queue.
    pub then: Option<Then>,
    /// The manifest of a plan from elsewhere, which is sent instead of what a listing gives.
    pub plan: Option<String>,
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
            ("plan", &self.plan, MAX_PLAN),
        ] {
            let bytes = text.as_ref().map_or(0, String::len);
            if bytes > most {
                return Err(JobError::bad_request(format!(
                    "{name}: found {bytes} bytes, allowed are {most}"
                )));
            }
        }
        let target = match &self.queue_url {
            None => Target::parse(&config.queue_url),
            Some(url) => {
                config::check_queue_url("queueUrl", url)
                    .and_then(|()| {
                        config::check_queue_region("queueUrl", url, Some(&config.region))
                    })
                    .map_err(|e| JobError::bad_request(e.to_string()))?;
                Target::Queue(url.clone())
            }
        };
        let order = match (&self.order, &self.queue_url) {
            (None, None) => config.order,
            (None, Some(_)) => target.default_order(),
            (Some(word), _) => target.parse_order(word).map_err(|allowed| {
                JobError::bad_request(format!("order: found {word:?}, allowed is {allowed}"))
            })?,
        };
        for (name, number, least, most) in [
            ("maxRate", self.max_rate, 1, MAX_RATE),
            ("pauseAboveDepth", self.pause_above_depth, 0, MAX_DEPTH),
        ] {
            if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
                return Err(JobError::bad_request(format!(
                    "{name}: found {number}, allowed is {least} to {most}"
                )));
            }
        }
        let format = self.format.unwrap_or(config.format);
        let records_per_message = self.records_per_message.unwrap_or(1);
        check_records("recordsPerMessage", records_per_message, format)
            .map_err(JobError::bad_request)?;
        let plan = self.plan.as_deref().map(PlanSource::parse).transpose();
        let plan = plan.map_err(|e| JobError::bad_request(format!("plan: {e}")))?;
        // A plan has an end of its own.
        let until = match (self.until, &plan) {
            (None, Some(_)) => Timestamp(i64::MAX),
            (until, _) => until.unwrap_or(now),
        };
        // Where live follows, the bucket's clock tells it once live is held.
        let filled_in = match plan {
            Some(_) => self.until,
            None => Some(until).filter(|_| self.then.is_none()),
        };
        check_times("from", self.from, until).map_err(JobError::bad_request)?;
        let options = Options {
            filter: Filter {
                prefix: self
                    .prefix
                    .clone()
                    .unwrap_or_else(|| config.key_prefix.clone()),
                suffix: config.key_suffix.clone(),
                from: self.from,
                until: filled_in,
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
            then: self.then,
            plan,
        };
        let given = Given {
            prefix: self.prefix.is_some(),
            until: self.until.is_some(),
            queue_url: self.queue_url.is_some(),
        };
        check_fields(&given, config, &options)?;
        Ok(options)
    }
}

/// Checks that there is a time between both; `name` is how the user calls `from`.
///
/// # Errors
/// What was found and what is allowed.
pub fn check_times(name: &str, from: Option<Timestamp>, until: Timestamp) -> Result<(), String> {
    match from {
        Some(from) if from >= until => Err(format!(
            "{name}: found {from}, allowed is a time before until ({until})"
        )),
        _ => Ok(()),
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

#[cfg(test)]
pub(super) mod tests {
    use bridge_core::queue::ordering::Order;
    use serde_json::json;

    use super::*;

    /// Of a stack with a FIFO queue.
    pub(in crate::api) fn config() -> Config {
        Config::read(&|name| {
            (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
        })
        .unwrap()
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
            "then": null,
            "plan": format!("s3://{}/{}.json", "b".repeat(63), "k".repeat(1_024)),
        });
        let start: StartRequest = serde_json::from_value(long.clone()).unwrap();
        let options = start.resolve(&config(), Timestamp(0)).unwrap();
        let bytes = json!(options).to_string().len();
        assert!(bytes < 3_700, "{bytes} bytes");
        // A field that is new is to be given its bound here.
        let fields = json!(StartRequest::default());
        let fields: Vec<_> = fields.as_object().unwrap().keys().collect();
        assert_eq!(fields, long.as_object().unwrap().keys().collect::<Vec<_>>());
    }

    #[test]
    fn a_queue_of_another_region_is_refused_with_both() {
        let in_region = |region: &str| StartRequest {
            queue_url: Some(format!("https://sqs.{region}.amazonaws.com/1/replay.fifo")),
            ..StartRequest::default()
        };
        let own = config();
        assert!(in_region(&own.region).resolve(&own, Timestamp(5)).is_ok());
        let other = in_region("ap-south-2").resolve(&own, Timestamp(5));
        let told = other.unwrap_err().to_string();
        for part in ["queueUrl", "ap-south-2", &own.region] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
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
}
