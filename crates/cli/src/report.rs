//! What is told at the end.

use std::time::Duration;

use bridge_core::delivery::Order;
use bridge_core::job::{Job, Phase};
use bridge_core::plan::Manifest;
use bridge_core::plan::estimate::{Estimate, Way, estimate};
use serde_json::{Value, json};

use crate::target::Target;

/// The estimate for a planned job.
pub fn estimate_of(job: &Job, manifest: &Manifest) -> Estimate {
    let options = &job.options;
    let order: Option<Order> = match Target::of_url(&options.queue_url) {
        Target::Queue(_) => Some(options.order),
        // Without a queue, a dry run reckons with the template's: FIFO, in order by key.
        Target::Nowhere => Some(Order::Key),
        Target::File(_) | Target::Stdout => None,
    };
    let runs = manifest.runs.len() as u64;
    let way = Way {
        order,
        records_per_message: options.records_per_message as u64,
        max_rate: options.max_rate,
    };
    estimate(manifest.summary.events, manifest.pages, runs, way)
}

/// The end as one JSON object.
pub fn as_json(job: &Job, took: Duration, estimate: Option<Estimate>) -> Value {
    let mut told = json!({
        "jobId": job.job_id,
        "phase": job.phase,
        "bucket": job.bucket,
        "checkpoint": job.checkpoint.sequence,
        "planned": job.planned,
        "counts": job.counts,
        "seconds": took.as_secs_f64(),
        "lastError": job.last_error,
    });
    if let Some(estimate) = estimate {
        told["estimate"] = json!({
            "s3Dollars": estimate.s3_dollars,
            "sqsDollars": estimate.sqs_dollars,
            "sendingSeconds": estimate.sending.as_secs(),
        });
    }
    told
}

/// The end in words.
pub fn as_text(job: &Job, took: Duration, estimate: Option<Estimate>, state: &str) -> String {
    let end = match job.phase {
        Phase::Done if job.options.dry_run => "planned, nothing sent".to_owned(),
        Phase::Done => format!("done: {} events", job.checkpoint.sequence),
        Phase::Failed => format!(
            "failed after {} events: {}",
            job.checkpoint.sequence,
            job.last_error.as_deref().unwrap_or("no reason was kept")
        ),
        phase => format!(
            "interrupted while {phase}, {} events sent",
            job.checkpoint.sequence
        ),
    };
    let mut lines = vec![format!(
        "{end} ({} versions in {} pages, {:.1} s)",
        job.counts.listed,
        job.counts.pages,
        took.as_secs_f64()
    )];
    if let Some(estimate) = estimate {
        lines.extend(plan_lines(job, estimate));
    }
    if job.phase != Phase::Done {
        lines.push(format!(
            "to go on: s3-sqs-bridge reseed --resume {} --state {state}",
            job.job_id
        ));
    }
    lines.join("\n")
}

fn plan_lines(job: &Job, estimate: Estimate) -> Vec<String> {
    let Some(summary) = &job.planned else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "{} events: {} created, {} removed",
        summary.events, summary.created, summary.removed
    )];
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        lines.push(format!("from {first} to {last}"));
    }
    let months = summary.by_month.iter();
    lines.extend(months.map(|(month, events)| format!("  {month} {events:>12}")));
    lines.push(format!(
        "S3 ${:.4}, SQS ${:.4} (list prices of us-east-1); sending takes about {} s",
        estimate.s3_dollars,
        estimate.sqs_dollars,
        estimate.sending.as_secs()
    ));
    lines
}
