//! A job in words, as the reseed function answers it.

use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::Value;

use crate::answer::answer;
use crate::numbers::{count, entries, grouped};
use crate::paint::{of_phase, painted};

/// Writes a job as it was answered, or in words, and then on standard error what may be done next; `stack` is whose
/// job it is.
///
/// # Errors
/// When standard output does not take it.
pub(super) fn tell(job: &Value, stack: &str, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        return answer(&job.to_string());
    }
    answer(&text(job))?;
    if let Some(next) = next(job, stack) {
        crate::tell(&next);
    }
    Ok(())
}

/// The command that tells or does more, unless the job has ended for good.
fn next(job: &Value, stack: &str) -> Option<String> {
    let (what, action) = match job["phase"].as_str()? {
        "done" | "cancelled" => return None,
        "failed" => ("once the reason is gone", "resume"),
        "paused" => ("to continue", "resume"),
        _ => ("to watch it", "watch"),
    };
    let id = word(&job["jobId"]);
    Some(format!(
        "{what}: s3-sqs-bridge jobs {action} {id} --stack {stack}"
    ))
}

/// A job on one line.
pub(super) fn line(job: &Value) -> String {
    let phase = format!("{:<9}", word(&job["phase"]));
    let style = of_phase(phase.trim_end());
    let sent = grouped(number(&job["checkpoint"]["sequence"]));
    let mut far = match job["planned"]["events"].as_u64() {
        None => "not yet planned".to_owned(),
        Some(all) if job["options"]["dryRun"] == true => {
            format!("{}, planned only", count(all, "event"))
        }
        Some(all) => format!("{sent} of {}", count(all, "event")),
    };
    if let Some(asked) = job["stopRequest"].as_str() {
        far = format!("{far}; {} was asked for", shown(asked, MOST_SHOWN));
    }
    if let Some(error) = job["lastError"].as_str() {
        far = format!("{far}: {}", shown(error, MOST_SHOWN));
    }
    format!(
        "{} {} {} {far}",
        word(&job["jobId"]),
        painted(&phase, style),
        word(&job["createdAt"]),
    )
}

/// A job in full: a line for each thing that is there.
fn text(job: &Value) -> String {
    let mut lines = Vec::new();
    let mut tell = |what: &str, told: String| {
        if !told.is_empty() {
            lines.push(format!("{what:<9} {told}"));
        }
    };
    let phase = word(&job["phase"]);
    let mut doing = painted(&phase, of_phase(&phase));
    if let Some(asked) = job["stopRequest"].as_str() {
        doing = format!("{doing}; {} was asked for", shown(asked, MOST_SHOWN));
    }
    tell("job", word(&job["jobId"]));
    tell("phase", doing);
    tell("bucket", word(&job["bucket"]));
    tell("asked", asked(&job["options"]));
    let is_dry_run = job["options"]["dryRun"] == true;
    if !is_dry_run {
        tell("to", word(&job["options"]["queueUrl"]));
    }
    let counts = &job["counts"];
    tell(
        "listed",
        match number(&counts["pages"]) {
            0 => "nothing yet".to_owned(),
            pages => format!(
                "{} in {}",
                entries(number(&counts["listed"])),
                count(pages, "page")
            ),
        },
    );
    tell("planned", planned(&job["planned"]));
    if !is_dry_run {
        let sent = count(number(&job["checkpoint"]["sequence"]), "event");
        // What it has sent since, only the segment at work knows.
        let as_of = if phase == "sending" {
            ", as of its last checkpoint"
        } else {
            ""
        };
        tell("sent", format!("{sent}{as_of}"));
    }
    if number(&counts["parked"]) > 0 {
        let parked = count(number(&counts["parked"]), "event");
        tell("parked", format!("{parked}, in the OnFailure queue"));
    }
    tell("live", live(job));
    tell("times", times(job));
    if let Some(error) = job["lastError"].as_str() {
        tell("error", shown(error, 4 * MOST_SHOWN));
    }
    lines.join("\n")
}

/// A text that no terminal obeys; `-` where there is none.
fn word(field: &Value) -> String {
    shown(field.as_str().unwrap_or("-"), MOST_SHOWN)
}

fn number(field: &Value) -> u64 {
    field.as_u64().unwrap_or(0)
}

/// What it was asked to do, where that says something: most that is as if nothing had been said is left out.
fn asked(options: &Value) -> String {
    let filter = &options["filter"];
    let mut parts = Vec::new();
    for (field, name) in [
        (&filter["prefix"], "prefix"),
        (&filter["suffix"], "suffix"),
        (&filter["from"], "from"),
        (&filter["until"], "until"),
        (&filter["events"], "events"),
        (&options["order"], "order"),
        (&options["format"], "format"),
        (&options["delivery"], "delivery"),
        (&options["onUndeliverable"], "at what is undeliverable"),
        (&options["then"], "then"),
    ] {
        let plain = ["", "all", "strict", "stop"];
        if let Some(text) = field.as_str().filter(|text| !plain.contains(text)) {
            parts.push(format!("{name} {}", shown(text, MOST_SHOWN)));
        }
    }
    for (field, word, rest) in [
        (&options["recordsPerMessage"], "record", "a message"),
        (&options["maxRate"], "event", "a second at most"),
        (
            &options["pauseAboveDepth"],
            "message",
            "in the queue at most",
        ),
    ] {
        let is_plain = word == "record" && *field == 1;
        if let Some(number) = field.as_u64().filter(|_| !is_plain) {
            parts.push(format!("{} {rest}", count(number, word)));
        }
    }
    for (field, name) in [
        (&filter["currentOnly"], "current versions only"),
        (&options["refuseAmbiguous"], "no ambiguous order"),
        (&options["dryRun"], "plan only"),
    ] {
        if *field == true {
            parts.push(name.to_owned());
        }
    }
    parts.join(", ")
}

fn planned(planned: &Value) -> String {
    let Some(events) = planned["events"].as_u64() else {
        return "not yet known".to_owned();
    };
    let mut text = format!(
        "{} ({}, {})",
        count(events, "event"),
        count(number(&planned["created"]), "version"),
        count(number(&planned["removed"]), "delete marker"),
    );
    if let (Some(first), Some(last)) = (planned["first"].as_str(), planned["last"].as_str()) {
        let (first, last) = (shown(first, MOST_SHOWN), shown(last, MOST_SHOWN));
        text = format!("{text}, from {first} to {last}");
    }
    let keys = number(&planned["ambiguous"]["keys"]);
    if keys > 0 {
        let keys = count(keys, "key");
        text = format!("{text}; the listing does not tell the order of {keys}");
    }
    text
}

/// Who holds live changes back, and how far a job is on its way to let them follow.
fn live(job: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(step) = job["handover"]["step"].as_str() {
        parts.push(shown(step, MOST_SHOWN));
    }
    let hold = &job["hold"];
    if let Some(owner) = hold["owner"].as_str() {
        let depth = hold["buffer"]["depth"].as_u64();
        let depth = depth.map_or(String::new(), |depth| {
            format!(", {} in the buffer", count(depth, "change"))
        });
        let (owner, since) = (shown(owner, MOST_SHOWN), word(&hold["since"]));
        parts.push(format!("held back by {owner} since {since}{depth}"));
    }
    if let Some(error) = hold["error"].as_str() {
        parts.push(format!("not known: {}", shown(error, MOST_SHOWN)));
    }
    parts.join("; ")
}

fn times(job: &Value) -> String {
    let (begin, progress, end) = (&job["createdAt"], &job["progressAt"], &job["finishedAt"]);
    let is_news = progress != begin && progress != end;
    let named = [
        ("started", begin),
        ("got further", if is_news { progress } else { &Value::Null }),
        ("ended", end),
    ];
    let told = named.iter().filter_map(|(name, at)| {
        let at = at.as_str()?;
        Some(format!("{name} {}", shown(at, MOST_SHOWN)))
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_one_line_that_no_terminal_obeys() {
        let job = json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": "failed", "createdAt": "2024-05-01T12:00:00.000Z",
            "checkpoint": { "sequence": 5 }, "planned": { "events": 9 }, "lastError": "why\u{1b}\nnot",
        });
        let expected = "20240501-1a2b3c4d-1 failed    2024-05-01T12:00:00.000Z 5 of 9 events: why\\u{1b}\\nnot";
        assert_eq!(line(&job), expected);
        let mut new =
            json!({ "jobId": "x", "phase": "scanning", "checkpoint": {}, "stopRequest": "cancel" });
        assert_eq!(
            line(&new),
            "x scanning  - not yet planned; cancel was asked for"
        );
        new["planned"] = json!({ "events": 1 });
        new["options"] = json!({ "dryRun": true });
        new["stopRequest"] = json!(null);
        assert_eq!(line(&new), "x scanning  - 1 event, planned only");
    }

    #[test]
    fn a_job_in_full_tells_what_is_there_and_nothing_else() {
        let job = json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": "sending", "stopRequest": "pause", "bucket": "ledger",
            "options": {
                "filter": { "prefix": "a/", "suffix": "", "until": "2024-05-01T12:00:00.000Z", "events": "all",
                            "currentOnly": true },
                "order": "key", "format": "bridge", "queueUrl": "https://sqs.x/1/q.fifo", "maxRate": 500,
                "dryRun": false, "recordsPerMessage": 1, "delivery": "strict", "onUndeliverable": "stop",
            },
            "counts": { "listed": 1, "pages": 1, "parked": 2 },
            "planned": { "events": 9, "created": 8, "removed": 1, "ambiguous": { "keys": 0 } },
            "checkpoint": { "sequence": 5 }, "createdAt": "2024-05-01T12:00:00.000Z",
            "progressAt": "2024-05-01T12:00:00.000Z", "handover": { "step": "replaying" },
            "hold": { "owner": "20240501-1a2b3c4d-1", "since": "2024-05-01T12:00:01.000Z", "buffer": { "depth": 1 } },
        });
        let expected = "\
job       20240501-1a2b3c4d-1
phase     sending; pause was asked for
bucket    ledger
asked     prefix a/, until 2024-05-01T12:00:00.000Z, order key, format bridge, 500 events a second at most, current versions only
to        https://sqs.x/1/q.fifo
listed    1 entry in 1 page
planned   9 events (8 versions, 1 delete marker)
sent      5 events, as of its last checkpoint
parked    2 events, in the OnFailure queue
live      replaying; held back by 20240501-1a2b3c4d-1 since 2024-05-01T12:00:01.000Z, 1 change in the buffer
times     started 2024-05-01T12:00:00.000Z";
        assert_eq!(text(&job), expected);
    }

    #[test]
    fn of_a_plan_only_nothing_is_told_of_sending() {
        let job = json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": "scanning", "bucket": "ledger",
            "options": { "filter": {}, "queueUrl": "https://sqs.x/1/q.fifo", "dryRun": true },
            "counts": { "listed": 0, "pages": 0, "parked": 0 }, "checkpoint": { "sequence": 0 },
        });
        let expected = "\
job       20240501-1a2b3c4d-1
phase     scanning
bucket    ledger
asked     plan only
listed    nothing yet
planned   not yet known";
        assert_eq!(text(&job), expected);
    }

    #[test]
    fn what_may_be_done_next_is_told_until_nothing_may() {
        let next = |phase: &str| next(&json!({ "jobId": "J", "phase": phase }), "s");
        for (phase, told) in [
            (
                "sending",
                "to watch it: s3-sqs-bridge jobs watch J --stack s",
            ),
            (
                "paused",
                "to continue: s3-sqs-bridge jobs resume J --stack s",
            ),
            (
                "failed",
                "once the reason is gone: s3-sqs-bridge jobs resume J --stack s",
            ),
        ] {
            assert_eq!(next(phase).as_deref(), Some(told));
        }
        assert_eq!((next("done"), next("cancelled")), (None, None));
    }
}
