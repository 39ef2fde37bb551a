//! `verify`: what a consumer got, against what the bucket has.
//!
//! - [`options`]: its options
//! - [`input`]: the consumer's file; [`listed`]: the bucket, or a plan; [`work`]: where both lie meanwhile
//! - [`scope`]: what is compared; [`told`]: how the end is told; [`heal`]: what is missing, sent again

mod heal;
mod input;
mod listed;
pub(crate) mod options;
mod scope;
mod told;
mod work;

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use bridge_core::config::check_queue_url;
use bridge_history::id::JobId;
use bridge_history::verify::compare::compare;
use bridge_history::verify::heal::note_gap;
use bridge_history::verify::report::{Finding, Findings};
use bridge_history::verify::scratch::Scratch;
use bridge_history::verify::sorter::Sorter;
use bridge_local::scratch::LocalScratch;
use heal::Compared;
use listed::Listed;
use options::VerifyArguments;
use work::{Work, aside};

use crate::account::Account;
use crate::interrupt::stop_on_interrupt;
use crate::{Outcome, Usage, tell};

/// Compares, and tells what is wrong.
///
/// # Errors
/// [`Usage`] for what can be known to be wrong before anything is done; else what keeps a side from being read.
pub(crate) async fn run(account: &Account, arguments: VerifyArguments) -> anyhow::Result<Outcome> {
    let stop = stop_on_interrupt(|| {})?;
    let (end, healing) = tokio::select! {
        done = compare_and_choose(account, &arguments) => done?,
        () = stop.cancelled() => {
            tell("interrupted: nothing was changed, and nothing is known; run it again");
            return Ok(Outcome::Interrupted);
        }
    };
    let Some(job) = healing else {
        return Ok(end);
    };
    // It has an orderly end of its own.
    Ok(match heal::resume(account, &job, &arguments).await? {
        Outcome::Done => end,
        healed => healed,
    })
}

/// What came of the comparison, and the job that heals, if one is needed.
async fn compare_and_choose(
    account: &Account,
    arguments: &VerifyArguments,
) -> anyhow::Result<(Outcome, Option<JobId>)> {
    let compared = compare_all(account, arguments).await?;
    let end = compared.end;
    let healing = match &arguments.heal {
        Some(url) => compared.heal(url, arguments).await?,
        None => None,
    };
    Ok((end, healing))
}

async fn compare_all(account: &Account, arguments: &VerifyArguments) -> anyhow::Result<Compared> {
    if let Some(url) = &arguments.heal {
        check_queue_url("--heal", url).map_err(|e| Usage(e.to_string()))?;
    }
    let listed = Listed::of(account, arguments).await?;
    let scope = scope::of(arguments, &listed);
    let work = Work::new(arguments.state.as_deref())?;
    let path = arguments.events.clone();
    // A pipe is open when something comes.
    let file = aside(move || input::open(&path)).await;
    let file = file.map_err(|e| Usage(e.to_string()))?;
    let sink = arguments.findings.as_deref().map(told::file).transpose()?;
    listed.ask_first(account, &scope.filter.prefix).await?;

    let memory = arguments.memory * 1024 * 1024;
    let scratch: Arc<dyn Scratch> = Arc::new(LocalScratch::new(work.path().to_owned()));
    let mut sorter = Sorter::new(Arc::clone(&scratch), memory, 0);
    let sink = sink.map(|mut file| {
        let line = move |finding: &Finding| {
            let mut line = serde_json::to_vec(finding)?;
            line.push(b'\n');
            file.write_all(&line)
        };
        Box::new(line) as _
    });
    let mut findings = Findings::new(arguments.examples, sink);
    // First the file: what it tells was in the bucket before the bucket is listed.
    let of_file = scope.clone();
    let taken = aside(move || {
        work::take_lines(file, &of_file, &mut sorter, &mut findings)?;
        sorter.rest()?;
        Ok((sorter, findings))
    });
    let (sorter, findings) = taken.await.context("reading --events")?;
    tell(&format!(
        "{} events in {} lines",
        findings.report.events, findings.report.lines
    ));
    let listed = listed.list(&scope, &work, arguments).await?;
    let (sorter, findings) = listed.take(&scope, sorter, findings).await?;
    tell("comparing");
    let of_comparison = scope.clone();
    let compared = aside(move || {
        let mut findings = findings;
        let records = sorter.finish()?;
        let mut gaps = heal::gaps(&scratch);
        let mut note = |key: &str, rank| note_gap(&mut gaps, key, rank);
        compare(
            &records,
            Arc::clone(&scratch),
            &of_comparison,
            &mut findings,
            &mut note,
        )?;
        let report = std::mem::take(&mut findings.report);
        Ok((report, records, gaps.finish()?, scratch))
    });
    let (report, records, gaps, scratch) = compared.await.context("comparing")?;
    let told = told::Told {
        report: &report,
        scope: &scope,
        exactly_once: arguments.exactly_once,
    };
    told.tell(arguments.json)?;
    let is_right = report.is_right(arguments.exactly_once);
    Ok(Compared {
        end: if is_right {
            Outcome::Done
        } else {
            Outcome::Failed
        },
        scope,
        records,
        gaps,
        scratch,
        _work: work,
    })
}
