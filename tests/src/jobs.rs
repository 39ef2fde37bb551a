//! Jobs whose processes are killed while they are watched, and what they sent.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Received, Stack};

/// Whoever asks a process that is killed just then gets no answer.
const ATTEMPTS: usize = 20;

impl Stack {
    /// Starts a job; its id.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn start(&self, input: Value) -> anyhow::Result<String> {
        let job = self.reseed(input).await?;
        let id = job["jobId"].as_str().context("a job without an id")?;
        Ok(id.to_owned())
    }

    /// As [`Stack::reseed`], asked again where it fails.
    ///
    /// # Errors
    /// What it failed with last.
    pub async fn reseed_again(&self, input: &Value) -> anyhow::Result<Value> {
        for _ in 1..ATTEMPTS {
            if let Ok(answer) = self.reseed(input.clone()).await {
                return Ok(answer);
            }
            sleep(Duration::from_millis(300)).await;
        }
        self.reseed(input.clone()).await
    }

    /// Lets the job go on, whoever was killed, until it satisfies `is_there`; the job then.
    ///
    /// # Errors
    /// When it hangs for as long as `timeout`.
    pub async fn until(
        &self,
        job: &str,
        timeout: Duration,
        is_there: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let begin = Instant::now();
        loop {
            let asked = json!({ "action": "status", "jobId": job });
            let status = self.reseed_again(&asked).await?;
            if is_there(&status) {
                return Ok(status);
            }
            if begin.elapsed() > timeout {
                bail!("after {timeout:?}: {status:#}");
            }
            self.reseed_again(&json!({ "action": "sweep" })).await?;
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// The id of the buffer's mapping, as the function was told.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn buffer_mapping(&self) -> anyhow::Result<String> {
        let configuration = self.lambda.get_function_configuration();
        let configuration = configuration.function_name(self.output("ReseedFunction"));
        let answer = configuration.send().await?;
        let variables = answer.environment().and_then(|e| e.variables());
        let mapping = variables.and_then(|v| v.get("BUFFER_MAPPING"));
        Ok(mapping.context("no mapping")?.clone())
    }
}

/// Which of the messages are a job's history: one piece, with each sequence from 1 on.
///
/// # Panics
/// When something live is amid it, or a sequence is missing.
#[must_use]
pub fn history_among(messages: &[Received]) -> RangeInclusive<usize> {
    let is_replayed = |message: &Received| message.text("source") == "reseed";
    let first = messages.iter().position(is_replayed);
    let last = messages.iter().rposition(is_replayed);
    let history = first.expect("no history")..=last.expect("no history");
    let replay = &messages[history.clone()];
    assert!(replay.iter().all(is_replayed), "live amid the history");
    let sequences: BTreeSet<u64> = replay.iter().map(Received::sequence).collect();
    let all: BTreeSet<u64> = (1..=sequences.len() as u64).collect();
    assert_eq!(sequences, all);
    history
}
