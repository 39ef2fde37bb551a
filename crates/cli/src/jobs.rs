//! `jobs list`: the jobs of a deployed stack, the newest first.

use std::io::Write as _;

use anyhow::{Context as _, anyhow, bail};
use aws_sdk_lambda::primitives::Blob;
use bridge_aws::machine;
use bridge_aws::request_error::RequestError;
use bridge_core::text::{MOST_SHOWN, shown};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{Outcome, Usage, tell};

/// What of the jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List all jobs, the newest first
    ///
    /// A line a job: id, phase, when it was started, how far it is of how many events, and its last
    /// error. Jobs that cannot be read are reported on standard error, and end it with exit code 1.
    List(ListArguments),
}

/// Options of `jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// The stack
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Write each job as the reseed function answers it, one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Does it.
///
/// # Errors
/// When the function cannot be asked, or refuses.
pub(crate) async fn run(command: JobsCommand) -> anyhow::Result<Outcome> {
    let JobsCommand::List(arguments) = command;
    let config = machine::load().await;
    if config.region().is_none() {
        return Err(Usage("no region is set: set AWS_REGION to the stack's".to_owned()).into());
    }
    machine::check_credentials(&config).await.map_err(Usage)?;
    let lambda = aws_sdk_lambda::Client::new(&config);
    list(&lambda, &arguments).await
}

/// Page after page, each written before the next one is asked for.
async fn list(
    lambda: &aws_sdk_lambda::Client,
    arguments: &ListArguments,
) -> anyhow::Result<Outcome> {
    let function = format!("{}-reseed", arguments.stack);
    let mut outcome = Outcome::Done;
    let mut request = json!({ "action": "list" });
    loop {
        let page = ask(lambda, &function, &request).await?;
        let jobs = page["jobs"].as_array();
        let jobs = jobs.with_context(|| format!("{function} answered no jobs: {page}"))?;
        for job in jobs {
            let text = if arguments.json {
                job.to_string()
            } else {
                line(job)
            };
            // Who reads has enough.
            if writeln!(std::io::stdout(), "{text}").is_err() {
                return Ok(outcome);
            }
        }
        for reason in page["unreadable"].as_array().into_iter().flatten() {
            tell(&shown(reason.as_str().unwrap_or_default(), MOST_SHOWN));
            outcome = Outcome::Failed;
        }
        match page.get("next") {
            None => return Ok(outcome),
            Some(next) if *next == request["next"] => {
                bail!("{function} answered the same page twice: {next}");
            }
            Some(next) => request["next"] = next.clone(),
        }
    }
}

async fn ask(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    request: &Value,
) -> anyhow::Result<Value> {
    let invoke = lambda.invoke().function_name(function);
    let answer = invoke
        .payload(Blob::new(request.to_string()))
        .send()
        .await
        .map_err(|e| anyhow!("{}", RequestError::of(&e)))
        .with_context(|| format!("invoking {function}; is --stack the stack's name?"))?;
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    if answer.function_error().is_some() {
        bail!("{function} failed: {}", String::from_utf8_lossy(payload));
    }
    serde_json::from_slice(payload).with_context(|| format!("{function} answered no JSON"))
}

/// A job on one line.
fn line(job: &Value) -> String {
    let text = |field: &Value| shown(field.as_str().unwrap_or("-"), MOST_SHOWN);
    let sent = job["checkpoint"]["sequence"].as_u64().unwrap_or(0);
    let all = job["planned"]["events"].as_u64();
    let all = all.map_or("?".to_owned(), |all| all.to_string());
    let error = job["lastError"].as_str();
    let error = error.map_or(String::new(), |e| format!(" {}", shown(e, MOST_SHOWN)));
    format!(
        "{} {:<9} {} {sent}/{all}{error}",
        text(&job["jobId"]),
        text(&job["phase"]),
        text(&job["createdAt"]),
    )
}

#[cfg(test)]
mod tests {
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
}
