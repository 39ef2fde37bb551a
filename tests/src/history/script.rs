//! Which keys, and what is done to them.

use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::History;
use super::life::{Act, Life};

/// Keys that listings, markers, URLs and XML have gone wrong on.
pub const ODD_KEYS: [&str; 24] = [
    "a b",
    "a+b",
    "a%b",
    "a%2Bb",
    "a%20b",
    "a%252Fb",
    "plus+plus/+",
    "100%/x%20y%",
    "//two//slashes//",
    "/leading",
    "trailing/",
    "https://x/page?q=1&r=2#f",
    "q=1&marker=2",
    "<tag attr=\"1\">'&amp;",
    " leading and trailing ",
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "control\u{1}\u{1f}",
    "delete\u{7f}",
    "ünï/日本/\u{1f600}",
    "e\u{301} and \u{e9}",
    "\u{e000}\u{fffd}",
    "\u{10ffff}",
];

/// What is done to a key, in order. Keys differ in what is done to them, so that every pair of acts comes
/// one after the other somewhere.
#[must_use]
pub fn acts(number: usize, length: usize) -> Vec<Act> {
    use Act::{Copy, Delete, Forget, Put, PutInParts, Undo};
    const ACTS: [Act; 12] = [
        Put, Delete, Undo, Put, Put, Copy, Delete, Put, PutInParts, Delete, Delete, Forget,
    ];
    let mut random = fastrand::Rng::with_seed(number as u64);
    // A key begins with a version.
    std::iter::once(Put)
        .chain(std::iter::repeat_with(|| ACTS[random.usize(..ACTS.len())]))
        .take(length)
        .collect()
}

/// Does to each key what is to be done to it: of one key one act after the other, `at_once` keys at a
/// time.
///
/// # Errors
/// S3's.
pub async fn perform(
    client: &Client,
    bucket: &str,
    plan: Vec<(String, Vec<Act>)>,
    at_once: usize,
) -> anyhow::Result<History> {
    let permits = Arc::new(Semaphore::new(at_once));
    let mut lives = JoinSet::new();
    for (key, acts) in plan {
        let mut life = Life::new(client, bucket, &key);
        let permits = Arc::clone(&permits);
        lives.spawn(async move {
            let _permit = permits.acquire().await?;
            for act in acts {
                life.act(act).await?;
            }
            anyhow::Ok(life)
        });
    }
    let mut history = History::default();
    while let Some(life) = lives.join_next().await {
        history.add(life.context("a writer panicked")??);
    }
    Ok(history)
}

impl History {
    /// Takes in what was done to a key.
    pub fn add(&mut self, life: Life) {
        if !life.gone.is_empty() {
            self.gone.insert(life.key.clone(), life.gone);
        }
        if !life.steps.is_empty() {
            self.keys.insert(life.key, life.steps);
        }
    }
}
