//! How a job ended, as text or as JSON.

use std::time::Duration;

use bridge_core::text::{MOST_SHOWN, shown};
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::plan::manifest::{Manifest, Summary};
use bridge_history::send::target::Target;
use serde_json::{Value, json};

use crate::answer::{answer, terminal_width};
use crate::estimate::{Estimate, Way, estimate};
use crate::numbers::{count, entries, grouped, time, took};
use crate::picture::bars;
use crate::picture::number::dollars;
use crate::sink::Broken;
use crate::{Outcome, tell};

/// The estimate for a planned job.
pub(crate) fn estimate_of(job: &Job, manifest: &Manifest) -> Estimate {
    let runs = manifest.runs.len() as u64;
    estimate(manifest.summary.events, manifest.pages, runs, Way::of(job))
}

/// Says when an order is a guess.
fn ambiguous_line(planned: &Summary) -> Option<String> {
    let first = planned.ambiguous.first.as_ref()?;
    Some(format!(
        "the server's listing does not tell the order of {}, the first is {}: \
         such are sent in the likeliest order (--refuse-ambiguous refuses them)",
        count(planned.ambiguous.keys, "key"),
        shown(first, MOST_SHOWN)
    ))
}

/// How a job ended, in this process.
pub(crate) struct End<'a> {
    /// The job.
    pub job: &'a Job,
    /// How long this process worked on it.
    pub took: Duration,
    /// What its plan costs, after a dry run.
    pub estimate: Option<Estimate>,
    /// Why lines could not be written.
    pub broken: Option<&'a Broken>,
    /// What was said of it before it began.
    pub warnings: &'a [String],
    /// The state directory.
    pub state: &'a str,
}

impl End<'_> {
    /// What the exit code says.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.broken, self.job.phase) {
            (_, Phase::Done) => Outcome::Done,
            (Some(Broken::Failed(_)), _) | (_, Phase::Failed) => Outcome::Failed,
            _ => Outcome::Interrupted,
        }
    }

    /// Writes it where it does not stand between data.
    ///
    /// # Errors
    /// When standard output does not take it.
    pub(crate) fn tell(&self, json: bool, dry_run: bool, target: &Target) -> anyhow::Result<()> {
        let report = if json {
            self.as_json().to_string()
        } else {
            let width = (*target != Target::Stdout).then(terminal_width).flatten();
            self.enough().unwrap_or_else(|| self.as_text(width))
        };
        if *target != Target::Stdout && (json || dry_run) {
            return answer(&report);
        }
        tell(&report);
        Ok(())
    }

    /// One line for a reader that has enough. Who says `| head` wants to see no more, and above all no
    /// failure; but unlike another program's, this work is kept, and whoever meant the reader to continue
    /// (a consumer that crashed) has to know how. What the pipe took counts as sent, read or not.
    fn enough(&self) -> Option<String> {
        let is_so = self.broken == Some(&Broken::Closed) && self.outcome() == Outcome::Interrupted;
        is_so.then(|| {
            format!(
                "standard output was closed by its reader after {}; to continue behind them: {}",
                self.sent(),
                self.resume()
            )
        })
    }

    /// How many events were sent. One that could not write its last checkpoint down, as on a full disk, knows no more than
    /// the one before.
    fn sent(&self) -> String {
        let sent = count(self.job.checkpoint.sequence, "event");
        if self.job.lease.is_some() {
            format!("{sent} by the last checkpoint (more may be, and are sent again)")
        } else {
            sent
        }
    }

    /// What went wrong.
    fn reason(&self) -> Option<String> {
        match self.broken {
            Some(Broken::Failed(reason)) => Some(reason.clone()),
            _ => self.job.last_error.clone(),
        }
    }

    /// One JSON object.
    fn as_json(&self) -> Value {
        let job = self.job;
        let mut report = json!({
            "jobId": job.job_id,
            "phase": job.phase,
            "bucket": job.bucket,
            "checkpoint": job.checkpoint.sequence,
            "planned": job.planned,
            "counts": job.counts,
            "seconds": self.took.as_secs_f64(),
            "lastError": self.reason(),
        });
        if !self.warnings.is_empty() {
            report["warnings"] = json!(self.warnings);
        }
        if let Some(estimate) = self.estimate {
            report["estimate"] = json!({
                "s3Dollars": estimate.s3_dollars,
                "sqsDollars": estimate.sqs_dollars,
                "sendingSeconds": estimate.sending.as_secs(),
            });
        }
        report
    }

    /// In words; on a terminal, in lines that fit its width.
    fn as_text(&self, width: Option<usize>) -> String {
        let job = self.job;
        let (sent, parked) = (job.checkpoint.sequence, job.counts.parked);
        let reason = self.reason().map(|reason| shown(&reason, 4 * MOST_SHOWN));
        let reason = reason.as_deref().unwrap_or("no reason was kept");
        let end = match (self.outcome(), job.phase) {
            (Outcome::Done, _) if job.options.dry_run => "planned, nothing sent".to_owned(),
            (Outcome::Done, _) => format!("done: {}", count(sent - parked, "event")),
            (Outcome::Failed, _) => format!("failed after {}: {reason}", self.sent()),
            (Outcome::Interrupted, phase) => {
                format!("interrupted while {phase}, {} sent", self.sent())
            }
        };
        let listed = match job.counts.pages {
            // Its plan was made otherwise.
            0 => String::new(),
            pages => format!(
                "{} in {}, ",
                entries(job.counts.listed),
                count(pages, "page")
            ),
        };
        let mut lines = vec![format!("{end} ({listed}{})", took(self.took))];
        if let Some(estimate) = self.estimate {
            lines.extend(plan_lines(job, estimate, width));
        }
        lines.extend(job.planned.as_ref().and_then(ambiguous_line));
        if parked > 0 {
            lines.push(format!(
                "{} not taken by the queue and parked: {}/jobs/{}/parked.jsonl",
                count(parked, "event"),
                self.state,
                job.job_id
            ));
        }
        lines.extend(self.hint());
        lines.join("\n")
    }

    /// The command that continues.
    fn resume(&self) -> String {
        format!(
            "s3-sqs-bridge reseed --resume {} --state {}",
            self.job.job_id, self.state
        )
    }

    /// How to continue. What is part of the job does not change by continuing with it.
    fn hint(&self) -> Option<String> {
        let resume = self.resume();
        let gone = ["NoSuchBucket", "NonExistentQueue", "QueueDoesNotExist"];
        let reason = self.reason().unwrap_or_default();
        match self.outcome() {
            Outcome::Done => None,
            Outcome::Failed if gone.iter().any(|code| reason.contains(code)) => Some(format!(
                "bucket and queue are part of the job: for others start a new one; once they are \
                 there again: {resume}"
            )),
            Outcome::Failed if reason.contains("onUndeliverable") => Some(format!(
                "to continue once that is fixed: {resume}; without that event: {resume} \
                 --on-undeliverable park"
            )),
            Outcome::Failed if reason.contains("AccessDenied") => Some(format!(
                "the credentials, the queue's policy and its key's have to allow it; once they do: {resume}"
            )),
            Outcome::Failed => Some(format!("to continue once that is fixed: {resume}")),
            Outcome::Interrupted => Some(format!("to continue: {resume}")),
        }
    }
}

fn plan_lines(job: &Job, estimate: Estimate, width: Option<usize>) -> Vec<String> {
    let Some(summary) = &job.planned else {
        return Vec::new();
    };
    if summary.events == 0 {
        return vec!["0 events: there is nothing to send".to_owned()];
    }
    let mut lines = vec![format!(
        "{}: {} created, {} removed",
        count(summary.events, "event"),
        grouped(summary.created),
        grouped(summary.removed)
    )];
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        lines.push(format!("from {first} to {last}"));
    }
    if let Some(width) = width {
        let counts = bars::by_month_or_year(&summary.by_month, bars::MOST);
        lines.extend(bars::histogram(&counts, width));
    } else {
        let months = summary.by_month.iter();
        lines.extend(months.map(|(month, events)| {
            let events = grouped(*events);
            format!("  {month} {events:>12}")
        }));
    }
    lines.push(format!(
        "S3 {}, SQS {} (list prices of us-east-1); sending takes about {}",
        dollars(estimate.s3_dollars),
        dollars(estimate.sqs_dollars),
        time(estimate.sending)
    ));
    lines
}
