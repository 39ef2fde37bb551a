//! `jobs list`: all jobs, the newest first.

use std::io::Write as _;

use anyhow::bail;
use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::json;

use crate::jobs::client::Client;
use crate::jobs::told::line;
use crate::{Outcome, tell};

/// Page after page, each written before the next one is asked for.
///
/// # Errors
/// When the function cannot be asked, or refuses.
pub(super) async fn run(client: &Client, is_json: bool) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    let mut request = json!({ "action": "list" });
    let mut is_empty = true;
    loop {
        let page = client.ask(&request).await?;
        for job in client.jobs_of(&page)? {
            is_empty = false;
            let text = if is_json { job.to_string() } else { line(job) };
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
            None => {
                if is_empty && outcome == Outcome::Done {
                    tell(&client.no_jobs());
                }
                return Ok(outcome);
            }
            Some(next) if *next == request["next"] => {
                bail!(
                    "the reseed function of {} answered the same page twice: {next}",
                    client.stack
                );
            }
            Some(next) => request["next"] = next.clone(),
        }
    }
}
