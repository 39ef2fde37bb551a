//! Keys that lack something, healed beside a live stream: each under its claim in the live table.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context as _;
use bridge_aws::keys::DynamoKeys;
use bridge_aws::live::DynamoLive;
use bridge_aws::sdk::{self, SdkConfig};
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::live::stream::{LiveOrder, StreamStore};
use bridge_core::queue::message::Writer;
use bridge_core::text::{MOST_SHOWN, quoted, shown};
use bridge_history::send::target::Target;
use bridge_history::verify::heal::first_missing;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::numbers::count;
use crate::verify::claimed::Healer;
use crate::verify::heal::Compared;
use crate::verify::options::VerifyArguments;
use crate::verify::work::aside;
use crate::{Outcome, Usage, tell};

/// Keys at the same time.
const IN_FLIGHT: usize = 16;

/// Keys that are named of those that are not healed.
const MOST_NAMED: u64 = 20;

/// Whether the table answers, and nothing is held: asked before anything is read for nothing.
///
/// # Errors
/// [`Usage`]
pub(super) async fn ask_first(table: &str, config: &SdkConfig) -> Result<(), Usage> {
    let client = Arc::new(ServiceClient::new(DYNAMODB, config, sdk::connector()));
    let stream = DynamoStream::new(client, table.to_owned()).read().await;
    let stream = stream.map_err(|error| Usage(format!("--live-table {table}: {error}")))?;
    if let Some(hold) = stream.hold {
        let owner = hold.owner;
        return Err(Usage(format!(
            "--live-table {table}: job {owner} sends a history before what is live: heal when it is done"
        )));
    }
    match stream.order {
        Some(LiveOrder::Newest | LiveOrder::Exact) => {}
        Some(LiveOrder::Notified) | None => tell(&format!(
            "WARNING: nothing live was sent by way of table {table} yet: with LIVE_ORDER notified claims keep nothing back"
        )),
    }
    Ok(())
}

/// What is healed with.
fn healer(
    (url, table): (&str, &str),
    arguments: &VerifyArguments,
    config: &SdkConfig,
    bucket: &str,
) -> Healer {
    let http = sdk::connector();
    let client = Arc::new(ServiceClient::new(DYNAMODB, config, http.clone()));
    let s3 = Arc::new(S3Client::new(config, http.clone()));
    let region = config.region().map(ToString::to_string);
    Healer {
        bucket: bucket.to_owned(),
        id: format!("{:016x}", fastrand::u64(..)),
        keys: Arc::new(DynamoKeys::new(Arc::clone(&client), table.to_owned())),
        places: Arc::new(DynamoLive::new(Arc::clone(&client), table.to_owned())),
        stream: Arc::new(DynamoStream::new(client, table.to_owned())),
        lister: Arc::new(SignedBucket::new(s3, bucket.to_owned())),
        dialect: sdk::dialect(),
        queue: SqsClient::new(config, http).queue(url.to_owned()),
        writer: Writer {
            format: arguments.format,
            order: Target::Queue(url.to_owned()).default_order(),
            region: region.unwrap_or_default(),
        },
        kinds: arguments.kinds,
        numbers: AtomicU64::new(0),
    }
}

impl Compared {
    /// Heals each key under its claim. After `stop`, what is begun is ended.
    ///
    /// # Errors
    /// What keeps the keys from being read.
    pub(super) async fn heal_claimed(
        self,
        (url, table): (&str, &str),
        arguments: &VerifyArguments,
        config: &SdkConfig,
        stop: &CancellationToken,
    ) -> anyhow::Result<Outcome> {
        if self.gaps.is_empty() {
            tell("nothing is missing: nothing is sent");
            return Ok(self.end);
        }
        let bucket = self.scope.bucket.clone();
        let healer = Arc::new(healer((url, table), arguments, config, &bucket));
        tell(&format!(
            "healing {}, each under its claim in table {table}",
            count(self.gaps.len(), "key")
        ));
        let end = self.end;
        let (sender, keys) = mpsc::channel(IN_FLIGHT);
        let reading = aside(move || {
            first_missing(&self.records, &self.gaps, |row| {
                // Nobody takes them any more after an interrupt.
                sender
                    .blocking_send(row)
                    .map_err(|_| std::io::ErrorKind::BrokenPipe.into())
            })
        });
        let (read, told) = tokio::join!(reading, heal_all(healer, keys, stop));
        let Healed {
            keys,
            events,
            failed,
        } = told;
        tell(&format!(
            "{} healed with {}",
            count(keys, "key"),
            count(events, "event")
        ));
        if stop.is_cancelled() {
            let again = arguments.again();
            tell(&format!(
                "interrupted: keys are healed whole or not at all; {again}"
            ));
            return Ok(Outcome::Interrupted);
        }
        read.context("reading which keys lack something")?;
        if failed > 0 {
            tell(&format!(
                "{} NOT healed: {}",
                count(failed, "key"),
                arguments.again()
            ));
            return Ok(Outcome::Failed);
        }
        Ok(end)
    }
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Healed {
    pub(super) keys: u64,
    pub(super) events: u64,
    pub(super) failed: u64,
}

/// Heals what comes, [`IN_FLIGHT`] keys at the same time, until there is no more or `stop`.
pub(super) async fn heal_all(
    healer: Arc<Healer>,
    mut missing: mpsc::Receiver<PlannedVersion>,
    stop: &CancellationToken,
) -> Healed {
    let mut done = Healed::default();
    let mut at_work: JoinSet<(String, Result<u64, String>)> = JoinSet::new();
    let mut settle = |(key, answer): (String, Result<u64, String>)| match answer {
        Ok(events) => {
            done.keys += 1;
            done.events += events;
        }
        Err(reason) => {
            done.failed += 1;
            if done.failed <= MOST_NAMED {
                let reason = shown(&reason, MOST_SHOWN);
                tell(&format!("key {} is NOT healed: {reason}", quoted(&key)));
            }
        }
    };
    while let Some(Some(row)) = stop.run_until_cancelled(missing.recv()).await {
        if at_work.len() == IN_FLIGHT
            && let Some(Ok(ended)) = at_work.join_next().await
        {
            settle(ended);
        }
        let healer = Arc::clone(&healer);
        at_work.spawn(async move {
            let answer = healer.heal(&row).await;
            (row.version.key, answer)
        });
    }
    drop(missing);
    while let Some(ended) = at_work.join_next().await {
        if let Ok(ended) = ended {
            settle(ended);
        }
    }
    done
}
