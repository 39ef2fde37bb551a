//! The messages of a queue that is only read for the comparison, as a file that is compared like any other.
//!
//! - [`checked`]: what may be done to a queue, by what it says of itself
//! - [`reading`]: its messages, received until there are no more
//! - [`copy`]: the file; [`held`]: those that are put back

mod checked;
mod copy;
mod held;
mod reading;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bridge_aws::sdk;
use bridge_core::config::check_queue_url;
use copy::Copy;
use reading::{End, Reading, facts};
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::numbers::count;
use crate::serve::queue_client::NotificationQueue;
use crate::verify::options::{Ending, VerifyArguments};
use crate::{Usage, tell};

/// What came of it.
pub(super) struct Got {
    /// The file of messages.
    pub(super) path: PathBuf,
    /// What was done to the queue, and how to go on with the file.
    pub(super) deleted: Option<String>,
    /// The option that it is of.
    pub(super) option: &'static str,
    /// Whether they came in the order in which they were sent, by group.
    pub(super) has_order: bool,
}

/// Reads all messages of `url` into `--copy`, or a file in `folder`. `None` after an interrupt. Whatever happens, what
/// is kept is put back.
///
/// # Errors
/// [`Usage`] where it may not be read so; what keeps it from being read to its end.
pub(super) async fn read(
    account: &Account,
    url: &str,
    arguments: &VerifyArguments,
    folder: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Got>> {
    check_queue_url("--queue-url", url).map_err(|e| Usage(e.to_string()))?;
    let ending = arguments.ending();
    let config = account.open("queue").await?;
    let queue = NotificationQueue::new(sdk::sqs(&config), url.to_owned());
    let asked = facts(&queue)
        .await
        .with_context(|| format!("--queue-url {url}"))?;
    for said in asked.check(ending).map_err(Usage)? {
        tell(&format!("WARNING: {said}"));
    }
    let (path, option) = match &arguments.copy {
        Some(path) => (path.clone(), "--copy"),
        None => (folder.join("messages"), "--state"),
    };
    let copy = Copy::open(&path, option).map_err(|error| Usage(error.to_string()))?;
    let has_order = asked.is_fifo;
    if !has_order {
        tell("a standard queue keeps no order: whether events came in order is not compared");
    }
    match ending {
        Ending::Keep => tell(&format!(
            "reading {url}: its messages are hidden from others until all are read, then put back (--keep)"
        )),
        Ending::Delete => tell(&format!(
            "reading {url}: each message is DELETED from it once it is in {} (--delete)",
            path.display()
        )),
    }
    let reading = Arc::new(Reading::new(queue, ending, asked, copy));
    let ended = tokio::select! {
        ended = reading.run(stop) => ended,
        () = reading.held.renew() => Err(anyhow::anyhow!("messages are not kept hidden any more")),
    };
    let left = reading.held.put_back().await;
    if left > 0 {
        tell(&format!(
            "{} could not be put back: they come back by themselves within {} s",
            count(left as u64, "message"),
            held::HIDDEN
        ));
    }
    let read = reading.read();
    let done = match ending {
        Ending::Keep => "read",
        Ending::Delete => "read and deleted",
    };
    // The last look at the file: what is told and compared is in it.
    let ended = ended.and_then(|end| Ok(reading.copy().check().map(|()| end)?));
    let end = ended
        .with_context(|| format!("--queue-url {url}, of which {read} messages were {done}"))?;
    let file = path.display();
    let mut deleted = None;
    match (end, ending) {
        (End::Whole, Ending::Keep) => {
            tell(&format!("{} read and put back", count(read, "message")));
        }
        (End::Whole, Ending::Delete) => {
            deleted = Some(told_of_deleted(read, &path, has_order));
            tell(&format!("{} read and deleted", count(read, "message")));
        }
        (End::Stopped, Ending::Keep) => {
            tell("interrupted: what was read is put back, and nothing is known; run it again");
        }
        (End::Stopped, Ending::Delete) => tell(&format!(
            "interrupted: {} are in {file} and not in the queue any more; run it again to go on",
            count(read, "message"),
        )),
    }
    Ok((end == End::Whole).then_some(Got {
        path,
        deleted,
        option,
        has_order,
    }))
}

/// What was done to the queue, and how to go on. A standard queue keeps no order, but of a file it is compared.
fn told_of_deleted(read: u64, path: &Path, has_order: bool) -> String {
    let file = path.display();
    let or_again = if has_order {
        ""
    } else {
        ", where their order is compared, too, or run it again"
    };
    format!(
        "{read} messages were deleted from the queue and are in {file}: compare them with --events {file}{or_again}"
    )
}
