//! `doctor`: whether a deployed stack is as it must be, looked at from outside.
//!
//! - [`gather`]: asks AWS, and keeps what was answered as [`facts`]; [`metrics`]: of the last hour
//! - [`checks`]: from facts to [`finding`]s, each with what to do
//! - [`canary`]: an object that is followed from the bucket to a queue
//! - [`told`]: the findings as text or as JSON

mod canary;
mod checks;
mod facts;
mod finding;
mod gather;
mod metrics;
mod told;

use bridge_core::config::check_queue_url;
use clap::Args;

use crate::account::Account;
use crate::answer::answer;
use crate::stack::Stack;
use crate::{Outcome, Usage, tell};

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// The stack
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Also let the reseed function write a plan object and read it back
    #[arg(long)]
    write: bool,
    /// Also put, overwrite and delete an object in the stack's bucket, and follow each change to the queue of
    /// `--canary-queue-url`
    ///
    /// The object is below `s3-sqs-bridge-canary/`, behind the stack's `KeyPrefix`, and is removed for good at
    /// the end. A consumer of the stack gets its events.
    #[arg(long, requires = "canary_queue_url")]
    canary: bool,
    /// The queue in which the canary's events must arrive: the stack's, or one that its messages are handed on to
    ///
    /// Its messages are received: those of the canary are deleted, others can be read again at once, which counts as a
    /// receive of theirs.
    #[arg(long, value_name = "URL", requires = "canary")]
    canary_queue_url: Option<String>,
    /// Write the findings as one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at everything, and tells it.
///
/// # Errors
/// When there is no such stack, or nobody may ask for it.
pub(crate) async fn run(account: &Account, arguments: DoctorArguments) -> anyhow::Result<Outcome> {
    if let Some(url) = &arguments.canary_queue_url {
        check_queue_url("--canary-queue-url", url).map_err(|e| Usage(e.to_string()))?;
    }
    let config = account.open("stack").await?;
    let stack = Stack::find(&config, &arguments.stack).await?;
    stack.output("ReseedFunction")?;
    let facts = Box::pin(gather::gather(&config, stack, arguments.write)).await;
    let mut findings = checks::all(&facts);
    if let Some(url) = arguments.canary_queue_url.filter(|_| arguments.canary) {
        tell("following an object from the bucket to the queue, for up to two minutes");
        findings.extend(canary::follow(&config, &facts.stack, &url).await);
    }
    let told = told::Told {
        stack: &facts.stack.name,
        findings: &findings,
    };
    answer(&if arguments.json {
        told.as_json().to_string()
    } else {
        told.as_text()
    })?;
    Ok(told.outcome())
}
