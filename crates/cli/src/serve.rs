//! `serve`: realtime for places without Lambda. It takes notifications from an SQS queue and by HTTP and forwards them
//! by the same code, until it is told to end.
//!
//! - [`options`]: the command line and the environment, checked; `live`: what `LIVE_ORDER` works with
//! - `work`: forwarding, so much at the same time; `memory`: what may be held of what waits
//! - `queue_source`: notifications from a queue, by `queue_client`; `brake`: slower while nothing gets through;
//!   `seldom`: nor told each time
//! - `http`: connections; `router`: paths; `notifications`: what comes by HTTP; `token`: from whom; `answer`: answers
//! - `jobs`: reseeds by HTTP; `runner`: at work in this process; `here`: which are; `history`: what they work with, and
//!   `parking` keeps aside; `receiving`: whether notifications are received meanwhile
//! - `ready`: whether everything answers; `figures`: what is counted

mod answer;
mod brake;
mod figures;
mod here;
mod history;
mod http;
mod jobs;
mod live;
mod memory;
mod notifications;
pub(crate) mod options;
mod parking;
pub(crate) mod queue_client;
mod queue_source;
mod ready;
mod receiving;
mod router;
mod runner;
mod seldom;
mod token;
mod work;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridge_aws::sdk;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_core::notification::buckets::Buckets;
use bridge_core::realtime::forwarder::Forwarder;
use bridge_local::jobs::LocalJobs;
use bridge_local::state::StateDirectory;
use figures::Figures;
use here::Here;
use history::Follow;
use jobs::Jobs;
use notifications::Door;
use options::{ServeArguments, Settings};
use queue_client::NotificationQueue;
use queue_source::QueueSource;
use ready::Ready;
use receiving::Receiving;
use runner::Runner;
use token::Token;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use work::Work;

use crate::account::Account;
use crate::interrupt::stop_on_interrupt;
use crate::preflight::{ask_parking, ask_queue, ask_source};
use crate::{Outcome, Usage};

/// Serves until a signal, then finishes what it has taken.
///
/// # Errors
/// [`Usage`] for what is wrong before anything is taken.
#[expect(clippy::too_many_lines, reason = "one step after the other")]
pub(crate) async fn run(account: &Account, arguments: ServeArguments) -> anyhow::Result<Outcome> {
    let sdk = account.open("queue").await?;
    let region = sdk.region().map_or("", |region| region.as_ref());
    let lookup = |name: &str| std::env::var(name).ok();
    let settings = Settings::read(&arguments, region, &lookup)?;
    let state = StateDirectory::open(&arguments.state).map_err(|e| Usage(e.to_string()))?;
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        let address = arguments.listen;
        Usage(format!(
            "--listen: {address} cannot be listened on: {error}"
        ))
    })?;

    let figures = Figures::install()?;
    let stop = stop_on_interrupt(|| tracing::info!("finishing what was taken"))?;
    let connector = sdk::connector();
    let sqs = SqsClient::new(&sdk, connector.clone());
    let queue = sqs.queue(settings.realtime.common.queue_url.clone());
    let notifications = arguments
        .notifications_queue_url
        .map(|url| NotificationQueue::new(sdk::sqs(&sdk), url));
    let asking = Box::pin(ask_first(&sdk, &sqs, &settings, notifications.as_ref()));
    // A signal is seen to below.
    stop.run_until_cancelled(asking).await.transpose()?;
    let bucket = match &settings.realtime.buckets {
        Buckets::Named(name) => Some(name.clone()),
        Buckets::All | Buckets::Begun(_) => None,
    };
    let chosen = live::choose(&settings, state.path(), &sdk, &connector)?;
    let receiving = Receiving::new();
    let taken = TaskTracker::new();

    let follow = notifications.clone().zip(chosen.stream.clone());
    let follow = follow.map(|(notifications, stream)| Follow {
        stream,
        notifications,
        receiving: receiving.clone(),
    });
    let here = Here::new(
        bucket.clone(),
        &settings.realtime.common.queue_url,
        notifications.as_ref().map(|queue| queue.url().to_owned()),
        chosen.stream.is_some(),
        &state,
    );
    let jobs = match &bucket {
        None => {
            here.tell().await;
            None
        }
        Some(bucket) => {
            let common = settings.realtime.common.clone();
            let config = history::config(common, bucket.clone(), settings.failure_queue);
            let (asking, asked) = runner::asking();
            let asking = Arc::new(asking);
            let ports = history::ports(&config, (&sdk, sqs), state.path(), asking, follow).await;
            let runner = Runner {
                ports: ports.clone(),
                here: here.clone(),
                settings: history::settings(&config),
                taken: taken.clone(),
                stop: stop.clone(),
                at_work: Mutex::default(),
                left: Mutex::default(),
            };
            tokio::spawn(Arc::new(runner).run(asked));
            Some(Arc::new(Jobs {
                config,
                ports,
                here,
                token: settings.operator_token.map(Token::new),
            }))
        }
    };
    let forwarder = Forwarder::new(
        settings.realtime,
        Arc::clone(&queue),
        chosen.gate,
        chosen.live,
    );
    let work = Arc::new(Work::new(forwarder, arguments.concurrency));
    let door = Door::new(
        settings.token.map(Token::new),
        Arc::clone(&work),
        taken.clone(),
        stop.clone(),
    );
    let s3 = Arc::new(S3Client::new(&sdk, connector));
    let holds = chosen.table.as_ref().and(chosen.stream);
    let ready = Arc::new(Ready {
        queue,
        notifications: notifications.clone(),
        bucket: bucket.map(|name| SignedBucket::new(s3, name)),
        work: Arc::clone(&work),
        table: chosen.table.clone(),
        holds: holds.map(|stream| (stream, LocalJobs::new(state.path().to_owned()))),
        stop: stop.clone(),
        last: tokio::sync::Mutex::default(),
    });
    let address = listener.local_addr()?;
    tracing::info!(%address, state = %state.path().display(), "serving");
    let router = router::router(door, jobs, ready, figures);
    let http = tokio::spawn(http::serve(listener, router, stop.clone()));
    if let Some(queue) = notifications {
        let source = QueueSource::new(queue, work, receiving, taken.clone(), stop.clone());
        source.run().await;
    }
    stop.cancelled().await;
    let outcome = finish(http, taken, Duration::from_secs(arguments.grace.into())).await;
    live::close(chosen.table).await;
    Ok(outcome)
}

/// Asks the queues whether they are there. What may pass, as in an outage, keeps nobody from starting: `/readyz` tells it.
///
/// # Errors
/// [`Usage`] for what a queue refuses for good.
async fn ask_first(
    sdk: &sdk::SdkConfig,
    sqs: &SqsClient,
    settings: &Settings,
    notifications: Option<&NotificationQueue>,
) -> anyhow::Result<()> {
    let url = &settings.realtime.common.queue_url;
    let queue = sqs.queue(url.clone());
    let of_parking = async {
        match &settings.failure_queue {
            Some(url) => ask_parking(sdk, &*sqs.queue(url.clone()), url).await,
            None => Ok(()),
        }
    };
    let of_source = async {
        match notifications {
            Some(queue) => ask_source(sdk, queue).await,
            None => Ok(()),
        }
    };
    let (sent_to, parked, received) =
        tokio::join!(ask_queue(sdk, &*queue, url), of_parking, of_source);
    for answer in [sent_to, parked, received] {
        match answer {
            Err(refused) if refused.is::<Usage>() => return Err(refused),
            Err(fault) => {
                tracing::warn!(error = %fault, "a queue does not answer: serving all the same");
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Ends what was taken, within `grace`.
async fn finish(http: JoinHandle<()>, taken: TaskTracker, grace: Duration) -> Outcome {
    let end = async {
        if let Err(error) = http.await {
            tracing::error!(%error, "HTTP was not served to its end");
        }
        taken.close();
        taken.wait().await;
    };
    let is_over = timeout(grace, end).await.is_ok();
    let left = taken.len();
    if !is_over && left > 0 {
        tracing::error!(
            left,
            "ended before all that was taken was forwarded: it comes again"
        );
        return Outcome::Interrupted;
    }
    if !is_over {
        tracing::warn!(
            "connections whose requests never ended are broken off: nothing was taken of them"
        );
    }
    tracing::info!("ended");
    Outcome::Done
}
