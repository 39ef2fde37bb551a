//! Notifications by HTTP, and what realtime makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_s3::types::{Event as EventType, NotificationConfiguration, TopicConfiguration};
use bridge_core::notification::{Input, parse_input};
use bytes::Bytes;
use e2e::history::History;
use e2e::history::replayed::Replay;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// How long nothing may come before all is taken for come.
const QUIET: Duration = Duration::from_secs(3);

/// Where a notification has its bucket's name; Ceph writes one record a document.
const BUCKET: &str = "/Records/0/s3/bucket/name";

/// What became of a notification that does not name its version.
const REFUSED: &str = "without a version, refused";

/// An HTTP server that keeps what it is sent.
pub(crate) struct Listener {
    port: u16,
    kept: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keep = Arc::clone(&keep);
                let service = service_fn(move |request| take(Arc::clone(&keep), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { port, kept })
    }

    /// The ARN of a new topic that sends here.
    pub(crate) async fn topic(&self, sns: &aws_sdk_sns::Client) -> anyhow::Result<String> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let create = sns.create_topic().name("outside");
        let create = create.attributes("push-endpoint", url).send().await;
        let answer = create.context("creating a topic that sends by HTTP")?;
        Ok(answer.topic_arn().context("no topic ARN")?.to_owned())
    }

    /// What came, when nothing more comes.
    pub(crate) async fn all(&self) -> Notified {
        let mut come = usize::MAX;
        while come != self.lock().len() {
            come = self.lock().len();
            tokio::time::sleep(QUIET).await;
        }
        Notified(self.lock().clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(
    keep: Arc<Mutex<Vec<Value>>>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let body = request.into_body().collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    // What is no JSON is kept too: the parser is to say so.
    let document = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(document);
    Ok(Response::new(Empty::new()))
}

/// Asks a bucket to notify a topic of everything that comes and goes.
pub(crate) async fn notify(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    topic: &str,
) -> anyhow::Result<()> {
    let rule = TopicConfiguration::builder()
        .id("outside")
        .topic_arn(topic)
        .events(EventType::from("s3:ObjectCreated:*"))
        .events(EventType::from("s3:ObjectRemoved:*"))
        .build()?;
    let all = NotificationConfiguration::builder()
        .topic_configurations(rule)
        .build();
    let put = s3.put_bucket_notification_configuration().bucket(bucket);
    let put = put.notification_configuration(all).send().await;
    put.with_context(|| format!("asking {bucket} to notify"))?;
    Ok(())
}

/// The documents that came, in that order.
pub(crate) struct Notified(Vec<Value>);

impl Notified {
    /// Those of a bucket.
    pub(crate) fn of(&self, bucket: &str) -> Self {
        let name =
            |document: &Value| document.pointer(BUCKET).and_then(Value::as_str) == Some(bucket);
        Self(self.0.iter().filter(|d| name(d)).cloned().collect())
    }

    /// Compares what realtime makes of them with the truth and a replay of it.
    ///
    /// A notification that names the version must have the replay's event id, or, where the version is
    /// gone, a key that it went from. One that does not must not be given an id.
    pub(crate) fn compare(
        &self,
        truth: &History,
        replay: Option<&Replay>,
    ) -> anyhow::Result<String> {
        let replay = replay.context("there is no right replay to compare with")?;
        let mut ids: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for event in &replay.events {
            ids.insert((&event.key, &event.version_id), &event.event_id);
        }
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut notified = BTreeSet::new();
        let mut wrong = Vec::new();
        for document in &self.0 {
            let named = names_version(document);
            let parsed = match parse_input(document) {
                Ok(Input::Direct(parsed)) => parsed,
                Ok(Input::Batch(_)) => bail!("taken for an SQS batch: {document}"),
                Err(error) => {
                    wrong.push(format!("{error}: {document}"));
                    continue;
                }
            };
            for skipped in &parsed.skipped {
                wrong.push(format!(
                    "skipped as {}: {document}",
                    skipped.reason.as_str()
                ));
            }
            for error in &parsed.unreadable {
                if named {
                    wrong.push(format!("{error}: {document}"));
                } else {
                    *counts.entry(REFUSED).or_default() += 1;
                }
            }
            for event in parsed.events {
                let place = (event.key.as_str(), event.version_id.as_str());
                let outcome = if !named {
                    wrong.push(format!("no version, but id {}: {document}", event.event_id));
                    "without a version, taken"
                } else if ids.get(&place) == Some(&event.event_id.as_str()) {
                    notified.insert(event.event_id.clone());
                    "with the replay's id"
                } else if went(truth, place.0, place.1) {
                    "of what was removed for good"
                } else {
                    wrong.push(format!("{place:?} has an id of its own: {document}"));
                    "with another id"
                };
                *counts.entry(outcome).or_default() += 1;
            }
        }
        let refused = counts.get(REFUSED).copied().unwrap_or_default();
        if notified.len() + refused < replay.events.len() || self.0.len() < truth.changes() {
            wrong.push("some changes were not notified of".to_owned());
        }
        let counts: Vec<_> = counts
            .iter()
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        let said = format!(
            "{} documents for {} changes: {}; {} of {} replayed events were notified of",
            self.0.len(),
            truth.changes(),
            counts.join(", "),
            notified.len(),
            replay.events.len()
        );
        if !wrong.is_empty() {
            let first = wrong[..wrong.len().min(5)].join("\n");
            bail!("{} wrong; {said}; first:\n{first}", wrong.len());
        }
        Ok(said)
    }
}

fn names_version(document: &Value) -> bool {
    let version = document.pointer("/Records/0/s3/object/versionId");
    version
        .and_then(Value::as_str)
        .is_some_and(|id| !id.is_empty())
}

fn went(truth: &History, key: &str, version_id: &str) -> bool {
    let gone = truth.gone.get(key).into_iter().flatten();
    gone.into_iter().any(|step| step.version_id == version_id)
}
