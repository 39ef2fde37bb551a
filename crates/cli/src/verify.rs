//! `verify`: what a consumer got, against what the bucket has.
//!
//! - [`options`]: its options; [`places`]: the files that they name
//! - [`input`]: the consumer's file; [`queue`]: a queue, made into one; [`listed`]: the bucket, or a plan; [`work`]: where
//!   both lie meanwhile
//! - [`scope`]: what is compared; [`tally`]: what is found, counted; [`told`]: how the end is told; [`report`]: with which
//!   pictures; [`page`]: the page of `--report`; [`findings_file`]: the file of `--findings`
//! - [`basis`]: whether it can be healed from; [`heal`]: what is missing, sent again by a job; [`live_table`]: beside a
//!   live stream, where each key is [`claimed`]

mod basis;
mod claimed;
mod findings_file;
mod heal;
mod input;
mod listed;
mod live_table;
pub(crate) mod options;
mod page;
mod places;
mod queue;
mod report;
mod scope;
mod tally;
mod told;
mod work;

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use bridge_core::config::check_queue_url;
use bridge_history::verify::compare::compare;
use bridge_history::verify::heal::note_gap;
use bridge_history::verify::report::Findings;
use bridge_history::verify::scope::Scope;
use bridge_history::verify::scratch::Scratch;
use bridge_history::verify::sorter::Sorter;
use bridge_local::scratch::LocalScratch;
use bridge_local::state::StateDirectory;
use findings_file::{FindingsFile, Writer};
use heal::Compared;
use listed::Listed;
use options::VerifyArguments;
use report::Pictures;
use work::{Work, aside};

use crate::account::Account;
use crate::interrupt::stop_on_interrupt;
use crate::numbers::count;
use crate::{Outcome, Usage, tell};

/// Compares, and tells what is wrong.
///
/// # Errors
/// [`Usage`] for what can be known to be wrong before anything is done; else what keeps a side from being read.
pub(crate) async fn run(account: &Account, arguments: VerifyArguments) -> anyhow::Result<Outcome> {
    let is_reading_queue = Arc::new(AtomicBool::new(false));
    let waits = Arc::clone(&is_reading_queue);
    let stop = stop_on_interrupt(move || {
        if waits.load(Ordering::Relaxed) {
            tell("interrupted: waiting for what the queue was asked for; once more ends at once");
        }
    })?;
    let interrupted = |done: &str| {
        tell(&format!("interrupted: {done}"));
        Ok(Outcome::Interrupted)
    };
    let unchanged = "nothing was changed, and nothing is known; run it again";
    let mut deleted = None;
    let prepared = stop.run_until_cancelled(Box::pin(Prepared::of(account, &arguments)));
    let Some(prepared) = prepared.await else {
        return interrupted(unchanged);
    };
    let mut prepared = prepared?;
    let file = match (prepared.file.take(), &arguments.queue_url) {
        (Some(file), _) => file,
        (None, url) => {
            // It has an orderly end of its own.
            let (url, folder) = (url.as_deref().unwrap_or_default(), prepared.work.path());
            is_reading_queue.store(true, Ordering::Relaxed);
            let got = queue::read(account, url, &arguments, folder, &stop).await?;
            is_reading_queue.store(false, Ordering::Relaxed);
            let Some(got) = got else {
                return Ok(Outcome::Interrupted);
            };
            deleted = got.deleted;
            prepared.scope.has_order = got.has_order;
            open(&got.path, got.option).await?
        }
    };
    let compared = stop.run_until_cancelled(compare_all(prepared, file, &arguments));
    let Some(compared) = compared.await else {
        let deleted = deleted.map(|deleted| format!("nothing is known; {deleted}"));
        return interrupted(deleted.as_deref().unwrap_or(unchanged));
    };
    let compared = compared.inspect_err(|_| {
        if let Some(deleted) = &deleted {
            tell(deleted);
        }
    })?;
    let Some(url) = arguments.heal.as_ref().filter(|_| compared.is_sound) else {
        return Ok(compared.end);
    };
    if let Some(table) = arguments.live_table_name() {
        let config = account.load().await;
        let to = (url.as_str(), table.as_str());
        // So has this.
        return compared.heal_claimed(to, &arguments, &config, &stop).await;
    }
    let end = compared.end;
    let healing = stop.run_until_cancelled(compared.heal(url, &arguments));
    let Some(healing) = healing.await else {
        let again = arguments.again();
        tell(&format!("interrupted: nothing was sent; {again}"));
        return Ok(Outcome::Interrupted);
    };
    let Some(job) = healing? else {
        return Ok(end);
    };
    // And this.
    Ok(match heal::resume(account, &job, &arguments).await? {
        Outcome::Done => end,
        healed => healed,
    })
}

/// What is known to be right before anything is read.
struct Prepared {
    listed: Listed,
    scope: Scope,
    work: Work,
    /// Of `--events`.
    file: Option<Box<dyn BufRead + Send>>,
    /// For all that is wrong.
    findings: Option<(Writer, FindingsFile)>,
    pictures: Pictures,
    /// Where a job that heals is made.
    held: Option<StateDirectory>,
}

/// Opens the file of what the consumer got, which an option names.
async fn open(path: &Path, option: &'static str) -> anyhow::Result<Box<dyn BufRead + Send>> {
    let path = path.to_owned();
    // A pipe is open when something comes.
    aside(move || input::open(&path, option)).await
}

impl Prepared {
    async fn of(account: &Account, arguments: &VerifyArguments) -> anyhow::Result<Self> {
        places::check(arguments)?;
        scope::check(arguments)?;
        let page = report::file(arguments)?;
        if let Some(url) = &arguments.heal {
            check_queue_url("--heal", url).map_err(|e| Usage(e.to_string()))?;
        }
        if let Some(table) = arguments.live_table_name() {
            live_table::ask_first(&table, &account.open("table").await?).await?;
        }
        let held = heal::hold(arguments).await?;
        let listed = Listed::of(account, arguments).await?;
        let scope = scope::of(arguments, &listed);
        let work = Work::new(arguments.state.as_deref())?;
        let file = match &arguments.events {
            Some(path) => {
                let file = open(path, "--events").await;
                Some(file.map_err(|error| Usage(error.to_string()))?)
            }
            None => None,
        };
        let findings = arguments.findings.as_deref();
        let findings = findings.map(FindingsFile::new).transpose()?;
        listed
            .ask_first(account, &scope.filter.prefix, arguments.heal.as_deref())
            .await?;
        let pictures = Pictures::new(page, arguments, &scope);
        Ok(Self {
            listed,
            scope,
            work,
            file,
            findings,
            pictures,
            held,
        })
    }
}

async fn compare_all(
    prepared: Prepared,
    file: Box<dyn BufRead + Send>,
    arguments: &VerifyArguments,
) -> anyhow::Result<Compared> {
    let Prepared {
        listed,
        scope,
        work,
        findings,
        pictures,
        held,
        ..
    } = prepared;
    let memory = arguments.memory * 1024 * 1024;
    let scratch: Arc<dyn Scratch> = Arc::new(LocalScratch::new(work.path().to_owned()));
    let mut sorter = Sorter::new(Arc::clone(&scratch), memory, 0);
    let (all, findings_file) = findings.unzip();
    let sink = tally::sink(all, pictures.tally());
    let mut findings = Findings::new(arguments.examples, sink);
    // First the file: what it tells was in the bucket before the bucket is listed.
    let of_file = scope.clone();
    let taken = aside(move || {
        work::take_lines(file, &of_file, &mut sorter, &mut findings)?;
        sorter.rest()?;
        Ok((sorter, findings))
    });
    let (sorter, findings) = taken.await.context("reading what the consumer got")?;
    tell(&format!(
        "{} in {}",
        count(findings.report.events, "event"),
        count(findings.report.lines, "line")
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
    pictures.tell(&told, arguments)?;
    if let Some(file) = findings_file {
        file.finish()?;
    }
    let doubt = basis::doubt(&report, &scope.bucket, arguments).filter(|_| report.missing > 0);
    let is_healable = arguments.plan.is_none() && !arguments.current_only;
    match &doubt {
        Some(doubt) if arguments.heal.is_some() => tell(&format!("{doubt}. Nothing was sent")),
        Some(doubt) => tell(doubt),
        None if report.missing > 0 && arguments.heal.is_none() && is_healable => {
            tell("to have what is missing sent again: the same with --heal QUEUE_URL");
        }
        None => {}
    }
    let is_right = report.is_right(arguments.exactly_once);
    Ok(Compared {
        end: if is_right {
            Outcome::Done
        } else {
            Outcome::Failed
        },
        is_sound: doubt.is_none(),
        scope,
        records,
        gaps,
        scratch,
        held,
        _work: work,
    })
}
