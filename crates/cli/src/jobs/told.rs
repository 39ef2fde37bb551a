//! A job in words, as the reseed function answers it.

use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::Value;

use crate::answer::answer;
use crate::numbers::{count, grouped};
use crate::paint::{of_phase, painted};

/// Writes a job as it was answered, or in words.
///
/// # Errors
/// When standard output does not take it.
pub(super) fn tell(job: &Value, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        answer(&job.to_string())
    } else {
        answer(&text(job))
    }
}

/// A job on one line.
pub(super) fn line(job: &Value) -> String {
    let phase = format!("{:<9}", word(&job["phase"]));
    let style = of_phase(phase.trim_end());
    let all = job["planned"]["events"].as_u64();
    let all = all.map_or("?".to_owned(), grouped);
    let error = job["lastError"].as_str();
    let error = error.map_or(String::new(), |e| format!(" {}", shown(e, MOST_SHOWN)));
    format!(
        "{} {} {} {}/{all}{error}",
        word(&job["jobId"]),
        painted(&phase, style),
        word(&job["createdAt"]),
        grouped(number(&job["checkpoint"]["sequence"])),
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
    tell("to", word(&job["options"]["queueUrl"]));
    let counts = &job["counts"];
    tell(
        "listed",
        format!(
            "{} in {}",
            count(number(&counts["listed"]), "version"),
            count(number(&counts["pages"]), "page")
        ),
    );
    tell("planned", planned(&job["planned"]));
    tell(
        "sent",
        count(number(&job["checkpoint"]["sequence"]), "event"),
    );
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

/// What it was asked to do, where that says something.
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
        if let Some(text) = field.as_str().filter(|text| !text.is_empty()) {
            parts.push(format!("{name} {}", shown(text, MOST_SHOWN)));
        }
    }
    for (field, name) in [
        (&options["recordsPerMessage"], "records a message"),
        (&options["maxRate"], "events a second at most"),
        (&options["pauseAboveDepth"], "messages in the queue at most"),
    ] {
        if let Some(number) = field.as_u64() {
            parts.push(format!("{} {name}", grouped(number)));
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
    let named = [
        ("started", &job["createdAt"]),
        ("got further", &job["progressAt"]),
        ("ended", &job["finishedAt"]),
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
        let expected =
            "20240501-1a2b3c4d-1 failed    2024-05-01T12:00:00.000Z 5/9 why\\u{1b}\\nnot";
        assert_eq!(line(&job), expected);
        let new = json!({ "jobId": "x", "phase": "scanning", "checkpoint": {} });
        assert_eq!(line(&new), "x scanning  - 0/?");
    }

    #[test]
    fn a_job_in_full_tells_what_is_there_and_nothing_else() {
        let job = json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": "sending", "stopRequest": "pause", "bucket": "ledger",
            "options": {
                "filter": { "prefix": "a/", "suffix": "", "until": "2024-05-01T12:00:00.000Z", "events": "all",
                            "currentOnly": true },
                "order": "key", "format": "bridge", "queueUrl": "https://sqs.x/1/q.fifo", "maxRate": 500,
                "dryRun": false,
            },
            "counts": { "listed": 1, "pages": 1, "parked": 2 },
            "planned": { "events": 9, "created": 8, "removed": 1, "ambiguous": { "keys": 0 } },
            "checkpoint": { "sequence": 5 }, "createdAt": "2024-05-01T12:00:00.000Z",
            "handover": { "step": "replaying" },
            "hold": { "owner": "20240501-1a2b3c4d-1", "since": "2024-05-01T12:00:01.000Z", "buffer": { "depth": 1 } },
        });
        let expected = "\
job       20240501-1a2b3c4d-1
phase     sending; pause was asked for
bucket    ledger
asked     prefix a/, until 2024-05-01T12:00:00.000Z, events all, order key, format bridge, 500 events a second at most, current versions only
to        https://sqs.x/1/q.fifo
listed    1 version in 1 page
planned   9 events (8 versions, 1 delete marker)
sent      5 events
parked    2 events, in the OnFailure queue
live      replaying; held back by 20240501-1a2b3c4d-1 since 2024-05-01T12:00:01.000Z, 1 change in the buffer
times     started 2024-05-01T12:00:00.000Z";
        assert_eq!(text(&job), expected);
    }
}
