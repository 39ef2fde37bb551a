//! One look at a job, and what may be told of it. No I/O.

use std::time::{Duration, Instant};

use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::Outcome;
use crate::numbers::{count, entries, grouped, took};
use crate::rate::{Meter, sending, time_left, told, whole};

/// What a look at a job saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Its id.
    pub(super) job: String,
    /// `scanning` …
    pub(super) phase: String,
    /// `pause` or `cancel`, asked for and not yet carried out.
    stop_request: Option<String>,
    /// The step of a job that live changes are to follow.
    step: Option<String>,
    /// Events that are acknowledged.
    pub(super) sent: u64,
    /// Events of the plan, once that is complete.
    pub(super) planned: Option<u64>,
    listed: u64,
    pages: u64,
    parked: u64,
    is_dry_run: bool,
    pause_above: Option<u64>,
    last_error: Option<String>,
    /// From its start to its end.
    took: Option<Duration>,
    /// The queue that it sends to.
    pub(super) queue_url: Option<String>,
    /// Messages that wait in that queue.
    pub(super) depth: Option<u64>,
}

impl Look {
    /// Reads an answer to `status`.
    pub(super) fn of(job: &Value) -> Self {
        let text = |field: &Value| field.as_str().map(ToOwned::to_owned);
        let number = |field: &Value| field.as_u64().unwrap_or(0);
        let moment = |field: &Value| Timestamp::parse(field.as_str()?).ok();
        let options = &job["options"];
        let is_dry_run = options["dryRun"] == true;
        let (begin, end) = (moment(&job["createdAt"]), moment(&job["finishedAt"]));
        Self {
            job: text(&job["jobId"]).unwrap_or_default(),
            phase: text(&job["phase"]).unwrap_or_default(),
            stop_request: text(&job["stopRequest"]),
            step: text(&job["handover"]["step"]),
            sent: number(&job["checkpoint"]["sequence"]),
            planned: job["planned"]["events"].as_u64(),
            listed: number(&job["counts"]["listed"]),
            pages: number(&job["counts"]["pages"]),
            parked: number(&job["counts"]["parked"]),
            is_dry_run,
            pause_above: options["pauseAboveDepth"].as_u64(),
            last_error: text(&job["lastError"]),
            took: begin.zip(end).map(|(begin, end)| end.since(begin)),
            queue_url: text(&options["queueUrl"]).filter(|url| url.contains("://") && !is_dry_run),
            depth: None,
        }
    }

    /// Measures the count that grows in this phase.
    pub(super) fn measure(&self, meter: &mut Meter, at: Instant) {
        if self.is_sending() {
            meter.look(at, "sent", self.sent);
        } else {
            meter.look(at, "listed", self.listed);
        }
    }

    /// Whether the plan is there and is being sent.
    fn is_sending(&self) -> bool {
        self.phase == "sending" && self.planned.is_some()
    }

    /// What it does now: its phase, or the step of a hand-over that is no scan and no sending.
    pub(super) fn doing(&self) -> String {
        let step = self.step.as_deref();
        let step = step.filter(|step| !["replaying", "released"].contains(step));
        let doing = step.unwrap_or(&self.phase);
        match self.stop_request.as_deref() {
            Some(asked) => format!("{doing} ({asked} was asked for)"),
            None => doing.to_owned(),
        }
    }

    /// How far it is, without what it does.
    pub(super) fn progress(&self, meter: &Meter) -> String {
        let rate = meter.rate();
        let mut text = if self.is_sending() {
            sending(self.sent, self.planned.unwrap_or(0), rate)
        } else {
            let rate = rate.map_or(String::new(), |rate| format!(", {}", told(rate)));
            format!(
                "{} in {}{rate}",
                entries(self.listed),
                count(self.pages, "page")
            )
        };
        if self.parked > 0 {
            text = format!("{text}; {} parked", grouped(self.parked));
        }
        if let Some(depth) = self.depth {
            let waits = self.pause_above.is_some_and(|most| depth > most);
            let waits = if waits { ", waiting for it" } else { "" };
            text = format!("{text}; queue {}{waits}", grouped(depth));
        }
        text
    }

    /// A line of it.
    pub(super) fn line(&self, meter: &Meter) -> String {
        format!("{}: {}", self.doing(), self.progress(meter))
    }

    /// A look as one JSON object.
    pub(super) fn as_json(&self, meter: &Meter) -> Value {
        let mut look = json!({
            "jobId": self.job, "phase": self.phase, "sent": self.sent,
            "listed": self.listed, "parked": self.parked,
        });
        let rate = meter.rate();
        let left = self
            .planned
            .map(|planned| planned.saturating_sub(self.sent));
        let left = rate.zip(left).filter(|_| self.is_sending());
        let left = left.and_then(|(rate, left)| time_left(left, rate));
        for (name, value) in [
            ("stopRequest", self.stop_request.as_ref().map(|r| json!(r))),
            ("step", self.step.as_ref().map(|step| json!(step))),
            ("planned", self.planned.map(|planned| json!(planned))),
            ("perSecond", rate.map(|rate| json!(whole(rate)))),
            ("secondsLeft", left.map(|left| json!(left.as_secs()))),
            ("queueDepth", self.depth.map(|depth| json!(depth))),
            (
                "lastError",
                self.last_error.as_ref().map(|error| json!(error)),
            ),
        ] {
            if let Some(value) = value {
                look[name] = value;
            }
        }
        look
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Option<Outcome> {
        match self.phase.as_str() {
            "done" => Some(Outcome::Done),
            "failed" | "cancelled" => Some(Outcome::Failed),
            "paused" => Some(Outcome::Interrupted),
            _ => None,
        }
    }

    /// How it ended, in words; `stack` is whose job it is.
    pub(super) fn told(&self, stack: &str) -> String {
        let sent = count(self.sent - self.parked.min(self.sent), "event");
        let took = self
            .took
            .map_or(String::new(), |time| format!(" in {}", took(time)));
        let resume = format!("s3-sqs-bridge jobs resume {} --stack {stack}", self.job);
        let text = match self.phase.as_str() {
            "done" if self.is_dry_run => {
                let planned = count(self.planned.unwrap_or(0), "event");
                format!("done: {planned} planned{took}, nothing sent")
            }
            "done" => format!("done: {sent}{took}"),
            "failed" => {
                let error = self.last_error.as_deref().unwrap_or("no reason was kept");
                let error = shown(error, 4 * MOST_SHOWN);
                format!("failed after {sent}: {error}\nonce the reason is gone: {resume}")
            }
            "paused" => format!("paused after {sent}\nto continue: {resume}"),
            phase => format!("{phase} after {sent}"),
        };
        if self.parked > 0 {
            return format!(
                "{text}\n{} in the OnFailure queue, as the events' queue did not take them",
                count(self.parked, "parked event")
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(phase: &str, sent: u64) -> Value {
        json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": phase,
            "checkpoint": { "sequence": sent }, "planned": { "events": 50_000 },
            "counts": { "listed": 52_000, "pages": 52, "parked": 0 },
            "options": { "queueUrl": "https://sqs.x/1/q.fifo", "dryRun": false, "pauseAboveDepth": 1_000 },
            "createdAt": "2024-05-01T12:00:00.000Z", "finishedAt": "2024-05-01T13:03:00.000Z",
        })
    }

    #[test]
    fn a_look_tells_rate_time_left_and_the_queue() {
        let (begin, mut meter) = (Instant::now(), Meter::default());
        let mut scanning = job("scanning", 0);
        scanning["planned"] = Value::Null;
        let before = Look::of(&scanning);
        before.measure(&mut meter, begin);
        assert_eq!(before.line(&meter), "scanning: 52,000 entries in 52 pages");
        let first = Look::of(&job("sending", 1_000));
        first.measure(&mut meter, begin + Duration::from_secs(5));
        let mut look = Look::of(&job("sending", 6_000));
        look.depth = Some(1_001);
        look.measure(&mut meter, begin + Duration::from_secs(15));
        assert_eq!(
            look.line(&meter),
            "sending: 6,000 of 50,000 events, 500/s, 1 min 28 s left; queue 1,001, waiting for it"
        );
        let json = look.as_json(&meter);
        assert_eq!(
            (&json["perSecond"], &json["secondsLeft"]),
            (&json!(500), &json!(88))
        );
    }

    #[test]
    fn the_end_says_how_to_continue() {
        for (phase, outcome, parts) in [
            (
                "done",
                Some(Outcome::Done),
                &["done: 7 events in 1 h 3 min"][..],
            ),
            (
                "failed",
                Some(Outcome::Failed),
                &["failed after 7 events: why", "jobs resume", "--stack s"],
            ),
            (
                "cancelled",
                Some(Outcome::Failed),
                &["cancelled after 7 events"],
            ),
            (
                "paused",
                Some(Outcome::Interrupted),
                &["paused", "jobs resume"],
            ),
            ("sending", None, &[]),
        ] {
            let mut job = job(phase, 7);
            job["lastError"] = json!("why");
            let look = Look::of(&job);
            assert_eq!(look.end(), outcome);
            for part in parts {
                assert!(look.told("s").contains(part), "{}", look.told("s"));
            }
        }
    }

    #[test]
    fn what_was_asked_for_and_what_is_held_are_told() {
        let mut job = job("scanning", 0);
        job["stopRequest"] = json!("pause");
        assert_eq!(Look::of(&job).doing(), "scanning (pause was asked for)");
        job["handover"]["step"] = json!("waiting");
        assert_eq!(Look::of(&job).doing(), "waiting (pause was asked for)");
    }
}
