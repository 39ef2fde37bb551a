//! Asks what `serve` would ask, with its own options, environment and credentials. Reads only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge_aws::lister::S3Lister;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_aws::watched::S3Watched;
use bridge_core::config::LiveConfig;
use bridge_core::listing::lister::Lister as _;
use bridge_core::live::stream::StreamStore as _;
use bridge_core::notification::buckets::Buckets;
use bridge_core::queue::permission::may_send;
use bridge_core::watched::{Finding, KeyFilter, check_notifications, check_versioning};
use bridge_local::state::{StateDirectory, StateError};
use serde_json::Value;
use ureq::Agent;

use crate::doctor::facts::{Answer, Attributes};
use crate::doctor::gather::attributes;
use crate::serve::options::{ServeArguments, Settings};

/// The longest that `serve` may take to answer: `/readyz` gives each of those it asks five seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// All that was asked for.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Served {
    /// `QUEUE_URL`.
    pub(in crate::doctor) queue_url: String,
    /// The queue of events.
    pub(in crate::doctor) queue: Answer<Attributes>,
    /// Whether it may be sent to.
    pub(in crate::doctor) sends: Result<(), String>,
    /// The queue of notifications: its URL, and what it says.
    pub(in crate::doctor) notifications: Option<(String, Answer<Attributes>)>,
    /// The bucket, where one is named.
    pub(in crate::doctor) bucket: Option<Bucket>,
    /// `LIVE_TABLE`, where there is one: whether it may be read.
    pub(in crate::doctor) table: Option<Result<(), String>>,
    /// The state directory.
    pub(in crate::doctor) state: State,
    /// What `/readyz` says where `serve` listens; `None` where nobody does.
    pub(in crate::doctor) ready: Option<Ready>,
}

/// The bucket.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Bucket {
    /// Whether it may be listed.
    pub(in crate::doctor) listed: Result<(), String>,
    /// Whether it keeps versions.
    pub(in crate::doctor) versioning: Finding,
    /// Whether it tells the queue of notifications, if there is one.
    pub(in crate::doctor) tells_queue: Option<Finding>,
    /// Whether it tells anybody.
    pub(in crate::doctor) tells_anybody: Finding,
}

/// The state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum State {
    /// It is not there.
    Missing,
    /// Nobody works in it.
    Free,
    /// Another process does.
    Taken,
    /// It cannot be worked in.
    Unusable(String),
}

/// What `/readyz` answered.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Ready {
    /// Where.
    pub(in crate::doctor) url: String,
    /// The status, and who said what; or why that cannot be read.
    pub(in crate::doctor) answer: Result<(u16, Value), String>,
}

/// Asks about everything at the same time.
pub(in crate::doctor) async fn gather(
    config: &SdkConfig,
    arguments: &ServeArguments,
    settings: &Settings,
) -> Served {
    let url = settings.realtime.common.queue_url.clone();
    let connector = sdk::connector();
    let sqs = sdk::sqs(config);
    let sender = SqsClient::new(config, connector.clone()).queue(url.clone());
    let table = match &settings.realtime.live {
        LiveConfig::Newest { table } | LiveConfig::Exact { table } if !settings.is_local => {
            let client = ServiceClient::new(DYNAMODB, config, connector);
            Some(DynamoStream::new(Arc::new(client), table.clone()))
        }
        _ => None,
    };
    let table = async {
        let read = table?.read().await;
        Some(read.map(drop).map_err(|error| error.to_string()))
    };
    let source = arguments.notifications_queue_url.clone();
    let notifications = async {
        let url = source?;
        let answer = attributes(&sqs, &url).await;
        Some((url, answer))
    };
    let ((notifications, bucket), queue, sends, table, ready) = tokio::join!(
        async {
            let notifications = notifications.await;
            let arn = notifications.as_ref().and_then(|(_, queue)| {
                let queue = queue.as_ref().ok()?;
                queue.get("QueueArn").cloned()
            });
            let bucket = bucket(config, settings, arn).await;
            (notifications, bucket)
        },
        attributes(&sqs, &url),
        async {
            may_send(&*sender)
                .await
                .map_err(|refusal| refusal.to_string())
        },
        table,
        ready(arguments.listen),
    );
    Served {
        queue_url: url,
        queue,
        sends,
        notifications,
        bucket,
        table,
        state: state(&arguments.state),
        ready,
    }
}

/// `notified` is the ARN of the queue of notifications.
async fn bucket(
    config: &SdkConfig,
    settings: &Settings,
    notified: Option<String>,
) -> Option<Bucket> {
    let Buckets::Named(name) = &settings.realtime.buckets else {
        return None;
    };
    let common = &settings.realtime.common;
    let wanted = KeyFilter {
        prefix: common.key_prefix.clone(),
        suffix: common.key_suffix.clone(),
    };
    let lister = S3Lister::new(config, name.clone());
    let watched = S3Watched::new(sdk::s3(config), name.clone());
    let (page, versioning, tells_queue, tells_anybody) = tokio::join!(
        lister.list(&wanted.prefix, None),
        check_versioning(&watched),
        async {
            match &notified {
                Some(arn) => Some(check_notifications(&watched, arn, &wanted).await),
                None => None,
            }
        },
        check_notifications(&watched, "", &wanted),
    );
    Some(Bucket {
        listed: page
            .map(drop)
            .map_err(|error| format!("{}: {}", error.code, error.message)),
        versioning,
        tells_queue,
        tells_anybody,
    })
}

/// A directory that is not there is not made, nor is a lock that is not there.
fn state(path: &Path) -> State {
    match path.join("lock").try_exists() {
        Ok(false) if !path.exists() => return State::Missing,
        Ok(false) => return State::Free,
        Ok(true) => {}
        Err(error) => return State::Unusable(error.to_string()),
    }
    match StateDirectory::open(path) {
        Ok(_) => State::Free,
        Err(StateError::Taken(_)) => State::Taken,
        Err(error) => State::Unusable(error.to_string()),
    }
}

/// Asks whoever listens where `serve` is told to; by way of this machine, where that is every address.
async fn ready(listen: SocketAddr) -> Option<Ready> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}/readyz", SocketAddr::new(ip, listen.port()));
    let asked = url.clone();
    let answer = tokio::task::spawn_blocking(move || ask(&asked)).await;
    let answer = answer.unwrap_or_else(|end| std::panic::resume_unwind(end.into_panic()));
    match answer {
        Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            None
        }
        answer => Some(Ready {
            url,
            answer: answer.map_err(|error| error.to_string()),
        }),
    }
}

/// An answer that is no JSON is `null`.
fn ask(url: &str) -> Result<(u16, Value), ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.get(url).call()?;
    let body = answer.body_mut().read_to_string()?;
    let told = serde_json::from_str(&body).unwrap_or_default();
    Ok((answer.status().as_u16(), told))
}
