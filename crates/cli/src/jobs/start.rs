//! `jobs start`: what a new job is asked to do.

use std::time::Duration;

use anyhow::Context as _;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_history::api::start::StartRequest;
use bridge_history::job::handover::Then;
use bridge_history::send::parking::OnUndeliverable;
use clap::Args;
use serde_json::{Value, json};

use crate::jobs::client::{Client, StackArguments};
use crate::jobs::{told, watch};
use crate::selection::Selection;
use crate::values::word;
use crate::{Outcome, tell};

/// Options of `jobs start`.
#[derive(Debug, Args)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    pub(super) stack: StackArguments,
    #[command(flatten)]
    selection: Selection,
    /// Send to this queue, the one of the stack's `ReplayQueueArn`; default the stack's own queue
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// Send a plan that was made elsewhere, instead of listing the bucket; below the stack's `ForeignPlans` only
    #[arg(long, value_name = "s3://…/manifest.json")]
    plan: Option<String>,
    /// Plan only: how many events, of which kind and month (`jobs status` tells)
    #[arg(long)]
    dry_run: bool,
    /// `live`: what happens meanwhile and from then on follows in the same queue; default nothing follows
    #[arg(long, value_name = "live", value_parser = word::<Then>)]
    then: Option<Then>,
    /// `stop` (default) at an event that the queue refuses for good, or `park` it in the `OnFailure` queue and
    /// continue
    #[arg(long, value_name = "stop|park", value_parser = word::<OnUndeliverable>)]
    on_undeliverable: Option<OnUndeliverable>,
    /// Watch the job until it ends, as `jobs watch` does
    #[arg(long)]
    watch: bool,
    /// With `--watch`: seconds between two looks, 1 to 3600; each look invokes the function once
    #[arg(long, value_name = "N", default_value_t = 5, requires = "watch", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

impl StartArguments {
    fn request(&self) -> StartRequest {
        let asked = &self.selection;
        StartRequest {
            prefix: asked.prefix.clone(),
            from: asked.from,
            until: asked.until,
            order: asked.order.clone(),
            format: asked.format,
            records_per_message: asked.records_per_message.map(usize::from),
            delivery: asked.delivery.unwrap_or_default(),
            current_only: asked.current_only,
            events: asked.events.unwrap_or_default(),
            queue_url: self.queue_url.clone(),
            max_rate: asked.max_rate,
            pause_above_depth: asked.pause_above_depth,
            dry_run: self.dry_run,
            refuse_ambiguous: asked.refuse_ambiguous,
            on_undeliverable: self.on_undeliverable.unwrap_or_default(),
            then: self.then,
            plan: self.plan.clone(),
        }
    }
}

/// The function's input: only what differs from the defaults, which a stack of another version may not know.
fn input(request: &StartRequest) -> Value {
    let (asked, plain) = (json!(request), json!(StartRequest::default()));
    let mut input = json!({ "action": "start" });
    for (name, value) in asked.as_object().into_iter().flatten() {
        if plain[name] != *value {
            input[name] = value.clone();
        }
    }
    input
}

/// Starts the job, and watches it if asked to.
///
/// # Errors
/// When the function cannot be asked, or refuses.
pub(super) async fn run(
    client: &Client,
    arguments: &StartArguments,
    is_json: bool,
) -> anyhow::Result<Outcome> {
    let job = client.ask(&input(&arguments.request())).await?;
    for warning in job["warnings"].as_array().into_iter().flatten() {
        let warning = shown(warning.as_str().unwrap_or_default(), MOST_SHOWN);
        tell(&format!("warning: {warning}"));
    }
    if !arguments.watch {
        told::tell(&job, &client.stack, is_json)?;
        return Ok(Outcome::Done);
    }
    let id = job["jobId"].as_str().context("the answer names no job")?;
    if !is_json {
        // Each look in JSON names it.
        tell(&format!("job {}", shown(id, MOST_SHOWN)));
    }
    let interval = Duration::from_secs(arguments.interval);
    watch::run(client, id, interval, is_json).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        start: StartArguments,
    }

    fn asked(line: &str) -> Value {
        let words = std::iter::once("start").chain(line.split(' '));
        input(&Line::try_parse_from(words).unwrap().start.request())
    }

    #[test]
    fn only_what_is_said_is_asked_for() {
        assert_eq!(asked("--stack s"), json!({ "action": "start" }));
        let line = "--stack s --prefix a/ --from 2024-05-01T00:00:00Z --until 2024-06-01T00:00:00Z \
                    --events created --current-only --refuse-ambiguous --order bucket --format s3 \
                    --records-per-message 100 --delivery batched --max-rate 500 --pause-above-depth 1000 \
                    --queue-url https://sqs.x/1/q.fifo --dry-run --then live --on-undeliverable park \
                    --plan s3://plans/manifest.json";
        let every = asked(line);
        assert_eq!(
            every,
            json!({
                "action": "start", "prefix": "a/", "from": "2024-05-01T00:00:00.000Z",
                "until": "2024-06-01T00:00:00.000Z", "events": "created", "currentOnly": true,
                "refuseAmbiguous": true, "order": "bucket", "format": "s3", "recordsPerMessage": 100,
                "delivery": "batched", "maxRate": 500, "pauseAboveDepth": 1000,
                "queueUrl": "https://sqs.x/1/q.fifo", "dryRun": true, "then": "live",
                "onUndeliverable": "park", "plan": "s3://plans/manifest.json",
            })
        );
        // A field that is new is to be given an option here.
        let fields = json!(StartRequest::default());
        for field in fields.as_object().unwrap().keys() {
            assert!(every.get(field).is_some(), "no option for {field}");
        }
    }
}
