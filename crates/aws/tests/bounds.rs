//! Answers that never end: too many bytes are not read, and too slow ones are not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bridge_aws::jobs::DynamoJobs;
use bridge_aws::lister::S3Lister;
use bridge_aws::plans::S3Plans;
use bridge_aws::sdk;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::SQS;
use bridge_core::failure::FailureKind;
use bridge_core::listing::lister::Lister as _;
use bridge_core::queue::port::Queue;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::store::JobStore as _;
use bridge_history::plan::store::{MOST_PART, PlanError, PlanStore as _};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Interval, interval};

const MIB: usize = 1024 * 1024;

/// A server that answers each request in one way.
#[derive(Debug, Clone)]
struct Server {
    status: u16,
    /// `content-length`, if it is told.
    length: Option<usize>,
    /// What comes again and again.
    part: Bytes,
    /// A part a second instead of all at once.
    drips: bool,
    /// Bytes that were taken from it.
    taken: Arc<AtomicUsize>,
}

impl Server {
    /// Sends without end.
    fn endless() -> Self {
        Self {
            status: 200,
            length: None,
            part: vec![b' '; MIB / 16].into(),
            drips: false,
            taken: Arc::default(),
        }
    }

    /// Sends a byte a second.
    fn dripping() -> Self {
        Self {
            part: Bytes::from_static(b" "),
            drips: true,
            ..Self::endless()
        }
    }

    fn taken(&self) -> usize {
        self.taken.swap(0, Ordering::Relaxed)
    }

    /// As the program configures its clients, but talking to this server.
    async fn config(&self) -> SdkConfig {
        sdk::defaults(self.client())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .load()
            .await
    }

    /// A queue by the SDK's client, and by this program's own.
    fn queues(&self, config: &SdkConfig) -> [Arc<dyn Queue>; 2] {
        let url = "https://sqs.x/1/q".to_owned();
        let http = sdk::documents_by(SharedHttpConnector::new(self.clone()));
        let own = SqsClient::Signed(Arc::new(ServiceClient::new(SQS, config, http)));
        [
            SqsClient::Sdk(sdk::sqs(config)).queue(url.clone()),
            own.queue(url),
        ]
    }

    fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

impl HttpConnector for Server {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = Endless {
            server: self.clone(),
            parts_left: 4096,
            seconds: self.drips.then(|| interval(Duration::from_secs(1))),
        };
        let body = SdkBody::from_body_1_x(body);
        let mut response = HttpResponse::new(self.status.try_into().unwrap(), body);
        if let Some(length) = self.length {
            let headers = response.headers_mut();
            headers.insert("content-length", length.to_string());
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The body of one answer. It does end, so that a bound that is missing fails a test and not the machine.
struct Endless {
    server: Server,
    parts_left: usize,
    seconds: Option<Interval>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(seconds) = &mut self.seconds {
            ready!(seconds.poll_tick(context));
        }
        if self.parts_left == 0 {
            return Poll::Ready(None);
        }
        self.parts_left -= 1;
        let part = self.server.part.clone();
        self.server.taken.fetch_add(part.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}

/// Instead of the bytes, so that a failing test does not tell them all.
fn length<E>(read: Result<Bytes, E>) -> Result<usize, E> {
    read.map(|bytes| bytes.len())
}

#[tokio::test]
async fn a_page_is_read_to_its_bound_and_asked_for_again() {
    for status in [200, 503] {
        let server = Server {
            status,
            ..Server::endless()
        };
        let lister = S3Lister::new(&server.config().await, "bucket".to_owned());
        let error = length(lister.list("", None).await).unwrap_err();
        assert_eq!(error.code, "AnswerTooLong", "{error}");
        assert!(error.message.contains("16777216 bytes"), "{error}");
        assert_eq!(error.kind, FailureKind::Transient);
        assert!((16 * MIB..17 * MIB).contains(&server.taken()));
    }
}

#[tokio::test]
async fn an_answer_that_says_that_it_is_too_long_is_not_read_at_all() {
    let server = Server {
        length: Some(1500 * MIB),
        ..Server::endless()
    };
    let config = server.config().await;
    let lister = S3Lister::new(&config, "bucket".to_owned());
    assert_eq!(
        length(lister.list("", None).await).unwrap_err().code,
        "AnswerTooLong"
    );
    let plans = S3Plans::new(sdk::s3(&config), "plans".to_owned());
    let error = length(plans.get("manifest", None).await)
        .unwrap_err()
        .to_string();
    assert!(error.contains("268435456 bytes"), "{error}");
    assert_eq!(server.taken(), 0);
}

#[tokio::test]
async fn an_object_is_read_to_the_end_of_what_was_asked_for() {
    let server = Server::endless();
    let plans = S3Plans::new(sdk::s3(&server.config().await), "plans".to_owned());
    // A row group as Spark writes it, and others by default.
    const { assert!(128 * MIB <= MOST_PART) };
    for (range, most) in [
        (Some(10..1_000), 990),
        (None, 64 * MIB),
        (Some(0..128 << 20), 128 * MIB),
    ] {
        let error = length(plans.get("run", range).await).unwrap_err();
        assert!(
            matches!(&error, PlanError::Store { name, reason, kind: FailureKind::Transient, .. }
                if name == "s3://plans/run" && reason.contains(&format!("{most} bytes"))),
            "{error}"
        );
        assert!(server.taken() <= most + MIB);
    }
}

#[tokio::test]
async fn answers_of_the_queue_and_the_job_table_are_read_to_their_bound() {
    let server = Server::endless();
    let config = server.config().await;
    for queue in server.queues(&config) {
        let refusal = queue.depth().await.unwrap_err();
        assert_eq!(
            (refusal.kind, &*refusal.code),
            (FailureKind::Transient, "AnswerTooLong")
        );
        assert!((16 * MIB..17 * MIB).contains(&server.taken()));
    }
    let jobs = DynamoJobs::new(sdk::dynamodb(&config), "jobs".to_owned());
    let error = jobs.load(&"j".parse().unwrap()).await.unwrap_err();
    assert!(
        matches!(&error, JobStoreError::Store { reason, .. } if reason.contains("AnswerTooLong")),
        "{error}"
    );
    assert!((16 * MIB..17 * MIB).contains(&server.taken()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_is_given_up_and_asked_for_again() {
    let server = Server::dripping();
    let config = server.config().await;
    let lister = S3Lister::new(&config, "bucket".to_owned());
    let error = length(lister.list("", None).await).unwrap_err();
    assert_eq!(error.code, "RequestTimeout");
    assert!(error.message.contains("10s"), "{error}");
    assert_eq!(error.kind, FailureKind::Transient);
    assert!((9..=12).contains(&server.taken()));

    for queue in server.queues(&config) {
        let refusal = queue.depth().await.unwrap_err();
        assert_eq!(
            (refusal.kind, &*refusal.code),
            (FailureKind::Transient, "RequestTimeout")
        );
        assert!((9..=12).contains(&server.taken()));
    }

    let jobs = DynamoJobs::new(sdk::dynamodb(&config), "jobs".to_owned());
    let error = jobs
        .load(&"j".parse().unwrap())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("RequestTimeout"), "{error}");
    assert!((9..=12).contains(&server.taken()));

    let plans = S3Plans::new(sdk::s3(&config), "plans".to_owned());
    let error = length(plans.get("run", Some(0..1_000)).await).unwrap_err();
    assert!(
        matches!(&error, PlanError::Store { reason, kind: FailureKind::Transient, .. }
            if reason.contains("within 60 s")),
        "{error}"
    );
    assert!((55..=62).contains(&server.taken()));
}
