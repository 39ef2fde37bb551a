//! The client past the SDK's orchestrator: what it signs, where it sends, and what it makes of each answer.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{ConfigLoader, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::queue::SignedQueue;
use bridge_aws::signed::service::{DYNAMODB, SQS, Service};
use bridge_core::failure::FailureKind;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::Queue as _;
use bytes::Bytes;
use serde_json::Value;

const NOW: u64 = 1_795_698_309;

/// `NOW`, as HTTP writes it, and twenty minutes later.
const DATE: &str = "Thu, 26 Nov 2026 13:05:09 GMT";
const LATER: &str = "Thu, 26 Nov 2026 13:25:09 GMT";

type Reply = (u16, Vec<(&'static str, &'static str)>, &'static str);

/// Answers from a list, its last for ever; keeps what it was asked.
#[derive(Debug, Clone, Default)]
struct Server {
    replies: Arc<Mutex<Vec<Reply>>>,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
    silent: bool,
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request);
        if self.silent {
            return HttpConnectorFuture::new(std::future::pending());
        }
        let mut replies = self.replies.lock().unwrap();
        let (status, headers, body) = match replies.len() {
            0 => (200, vec![], "{}"),
            1 => replies[0].clone(),
            _ => replies.remove(0),
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Server {
    fn of(replies: &[Reply]) -> Self {
        Self {
            replies: Arc::new(Mutex::new(replies.to_vec())),
            ..Self::default()
        }
    }

    fn header(&self, number: usize, name: &str) -> String {
        let asked = self.asked.lock().unwrap();
        let header = asked[number].headers().get(name);
        header.unwrap_or_default().to_owned()
    }

    fn urls(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|r| r.uri().to_owned()).collect()
    }

    /// A client that stands at `NOW` and has everything it needs.
    async fn client(&self, service: Service) -> ServiceClient {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        self.client_by(service, config().credentials_provider(credentials))
            .await
    }

    async fn client_by(&self, service: Service, loader: ConfigLoader) -> ServiceClient {
        ServiceClient::new(
            service,
            &loader.load().await,
            SharedHttpConnector::new(self.clone()),
        )
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn config() -> ConfigLoader {
    // Credentials are none of its business here.
    let http = http_client_fn(|_, _| SharedHttpConnector::new(Server::default()));
    sdk::defaults(http)
        .region(Region::from_static("eu-west-1"))
        .time_source(StaticTimeSource::new(now()))
}

async fn ask(client: &ServiceClient) -> Result<Bytes, bridge_aws::request_error::RequestError> {
    client
        .call("SendMessageBatch", Bytes::from_static(b"{}"))
        .await
}

#[tokio::test]
async fn signatures_are_those_of_botocore() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/signatures.json")).unwrap();
    assert_eq!(recorded["unix"], NOW);
    let requests = recorded["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 6);
    for request in requests {
        let text = |name: &str| request[name].as_str().map(ToOwned::to_owned);
        let service = if request["service"] == "sqs" {
            SQS
        } else {
            DYNAMODB
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, text("token"), None, "test");
        let loader = config()
            .region(Region::new(text("region").unwrap()))
            .endpoint_url(text("url").unwrap())
            .credentials_provider(credentials);
        let server = Server::default();
        let client = server.client_by(service, loader).await;
        let body = text("body").unwrap_or_else(|| {
            let times = usize::try_from(request["body"]["times"].as_u64().unwrap()).unwrap();
            request["body"]["text"].as_str().unwrap().repeat(times)
        });
        let length = body.len().to_string();
        client
            .call(&text("operation").unwrap(), body.into())
            .await
            .unwrap();
        assert_eq!(server.header(0, "authorization"), request["authorization"]);
        assert_eq!(server.header(0, "x-amz-date"), request["date"]);
        assert_eq!(
            server.header(0, "x-amz-security-token"),
            text("token").unwrap_or_default()
        );
        assert_eq!(server.header(0, "content-length"), length);
        assert_eq!(server.urls(), [text("url").unwrap()]);
    }
}

/// Gives credentials that are good for five minutes, or fails; counts.
#[derive(Debug, Clone, Default)]
struct Renewed {
    given: Arc<Mutex<Vec<SystemTime>>>,
    fails: Arc<Mutex<bool>>,
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        if *self.fails.lock().unwrap() {
            return Provided::ready(Err(CredentialsError::not_loaded("signed out")));
        }
        let mut given = self.given.lock().unwrap();
        let end = now() + Duration::from_mins(5 * (given.len() as u64 + 1));
        given.push(end);
        let id = format!("id{}", given.len());
        Provided::ready(Ok(Credentials::new(id, "s", None, Some(end), "test")))
    }
}

/// A clock that is set by hand.
#[derive(Debug, Clone)]
struct Hand(Arc<Mutex<SystemTime>>);

impl aws_smithy_async::time::TimeSource for Hand {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn credentials_are_kept_and_renewed_before_they_end() {
    let (provider, hand) = (Renewed::default(), Hand(Arc::new(Mutex::new(now()))));
    let server = Server::default();
    let loader = config()
        .credentials_provider(provider.clone())
        .time_source(hand.clone());
    let client = server.client_by(SQS, loader).await;
    for minutes in [0, 3, 5] {
        *hand.0.lock().unwrap() = now() + Duration::from_mins(minutes);
        ask(&client).await.unwrap();
    }
    let id = |n| server.header(n, "authorization");
    assert!(id(0).contains("=id1/") && id(1).contains("=id1/"));
    assert!(id(2).contains("=id2/"), "{}", id(2));

    // Not to be had now: those at hand serve to their end, and after it a call may be made again.
    *provider.fails.lock().unwrap() = true;
    *hand.0.lock().unwrap() = now() + Duration::from_secs(9 * 60 + 30);
    ask(&client).await.unwrap();
    assert!(id(3).contains("=id2/"));
    *hand.0.lock().unwrap() = now() + Duration::from_mins(11);
    let error = ask(&client).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Transient);
    assert!(error.message.contains("signed out"), "{error}");
}

#[tokio::test]
async fn credentials_that_are_refused_are_not_used_again() {
    let provider = Renewed::default();
    let expired = "{\"__type\":\"com.amazon.coral.service#ExpiredTokenException\"}";
    let server = Server::of(&[(403, vec![], expired), (200, vec![], "{}")]);
    let loader = config().credentials_provider(provider.clone());
    let client = server.client_by(SQS, loader).await;
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Transient, "ExpiredTokenException")
    );
    ask(&client).await.unwrap();
    assert!(server.header(1, "authorization").contains("=id2/"));
}

const SKEWED: &str = "{\"__type\":\"com.amazon.coral.service#InvalidSignatureException\",\
    \"message\":\"Signature expired: 20261126T130509Z is now earlier than 20261126T132009Z\"}";

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_and_the_request_sent_once_more() {
    let server = Server::of(&[(403, vec![("date", LATER)], SKEWED), (200, vec![], "{}")]);
    let client = server.client(SQS).await;
    ask(&client).await.unwrap();
    ask(&client).await.unwrap();
    let dates: Vec<_> = (0..3).map(|n| server.header(n, "x-amz-date")).collect();
    assert_eq!(
        dates,
        ["20261126T130509Z", "20261126T132509Z", "20261126T132509Z"]
    );
}

#[tokio::test]
async fn a_signature_that_is_wrong_for_another_reason_is_sent_once() {
    for (headers, body) in [
        (vec![("date", DATE)], SKEWED),
        (vec![], SKEWED),
        (vec![("date", "yesterday")], SKEWED),
        (
            vec![("date", LATER)],
            "{\"__type\":\"AccessDeniedException\"}",
        ),
    ] {
        let server = Server::of(&[(403, headers, body)]);
        let error = ask(&server.client(SQS).await).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Permanent);
        assert_eq!(server.urls().len(), 1);
    }
    // And one that is refused however it is dated.
    let server = Server::of(&[(403, vec![("date", LATER)], SKEWED)]);
    ask(&server.client(SQS).await).await.unwrap_err();
    assert_eq!(server.urls().len(), 2);
}

#[tokio::test]
async fn endpoints_follow_region_fips_and_dual_stack() {
    for (service, region, fips, dual_stack, url) in [
        (
            SQS,
            "eu-west-1",
            false,
            false,
            "https://sqs.eu-west-1.amazonaws.com/",
        ),
        (
            SQS,
            "us-east-1",
            true,
            false,
            "https://sqs-fips.us-east-1.amazonaws.com/",
        ),
        (
            SQS,
            "eu-west-1",
            false,
            true,
            "https://sqs.eu-west-1.api.aws/",
        ),
        (
            SQS,
            "us-east-1",
            true,
            true,
            "https://sqs-fips.us-east-1.api.aws/",
        ),
        (
            SQS,
            "cn-north-1",
            false,
            false,
            "https://sqs.cn-north-1.amazonaws.com.cn/",
        ),
        (
            SQS,
            "us-gov-west-1",
            true,
            false,
            "https://sqs.us-gov-west-1.amazonaws.com/",
        ),
        (
            DYNAMODB,
            "eu-west-1",
            false,
            false,
            "https://dynamodb.eu-west-1.amazonaws.com/",
        ),
        (
            DYNAMODB,
            "us-east-1",
            true,
            false,
            "https://dynamodb-fips.us-east-1.amazonaws.com/",
        ),
    ] {
        let server = Server::default();
        let loader = config()
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .region(Region::from_static(region))
            .use_fips(fips)
            .use_dual_stack(dual_stack);
        ask(&server.client_by(service, loader).await).await.unwrap();
        assert_eq!(server.urls(), [url]);
        let host = url.trim_start_matches("https://").trim_end_matches('/');
        assert_eq!(server.header(0, "host"), host);
        assert!(
            server
                .header(0, "authorization")
                .contains(&format!("/{region}/"))
        );
    }
}

/// What a process sees whose environment is another: a test of its own, started by the next.
#[tokio::test]
#[ignore = "the next test starts it"]
async fn tells_its_endpoint() {
    for config in [sdk::load().await, sdk::of_environment()] {
        let server = Server::default();
        let client = ServiceClient::new(SQS, &config, SharedHttpConnector::new(server.clone()));
        let error = ask(&client).await.err();
        println!("told {:?} {:?}", server.urls().first(), error);
    }
}

#[test]
fn the_environment_says_where_sqs_is() {
    for (variables, told) in [
        (&[][..], "Some(\"https://sqs.eu-west-1.amazonaws.com/\")"),
        (
            &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")],
            "Some(\"http://127.0.0.1:1/\")",
        ),
        (
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2/x"),
            ],
            "Some(\"http://127.0.0.1:2/x\")",
        ),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            "Some(\"https://sqs-fips.eu-west-1.amazonaws.com/\")",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "Some(\"https://sqs.eu-west-1.api.aws/\")",
        ),
        (
            &[
                ("AWS_USE_FIPS_ENDPOINT", "true"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ],
            "FIPS and custom endpoint are not supported",
        ),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "tells_its_endpoint", "--ignored", "--nocapture"])
            .env_remove("AWS_PROFILE")
            .envs([
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ])
            .envs(variables.iter().copied());
        let output = child.output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = output.lines().filter(|l| l.contains("told ")).collect();
        assert_eq!(lines.len(), 2, "{output}");
        for line in lines {
            assert!(line.contains(told), "{variables:?}: {line}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_read_as_the_sdk_reads_it() {
    let gone = "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"It is gone.\"}";
    let old = vec![(
        "x-amzn-query-error",
        "AWS.SimpleQueueService.NonExistentQueue;Sender",
    )];
    for (status, headers, body, kind, told) in [
        (
            400,
            old,
            gone,
            FailureKind::Permanent,
            "AWS.SimpleQueueService.NonExistentQueue: It is gone.",
        ),
        (
            400,
            vec![],
            gone,
            FailureKind::Permanent,
            "QueueDoesNotExist: It is gone.",
        ),
        (
            400,
            vec![("x-amzn-errortype", "ThrottlingException:http://x/")],
            "{\"Message\":\"Slow\"}",
            FailureKind::Throttled,
            "ThrottlingException: Slow",
        ),
        (
            403,
            vec![("x-amzn-query-error", "RequestThrottled;Sender")],
            "{}",
            FailureKind::Throttled,
            "RequestThrottled: answered with HTTP 403, without a message",
        ),
        (
            503,
            vec![],
            "<html>Busy</html>",
            FailureKind::Transient,
            "HTTP 503: the answer gives no reason",
        ),
        (
            403,
            vec![],
            "",
            FailureKind::Permanent,
            "HTTP 403: the answer gives no reason",
        ),
        (
            307,
            vec![("location", "https://elsewhere/")],
            "",
            FailureKind::Permanent,
            "HTTP 307: redirected to https://elsewhere/: not followed",
        ),
    ] {
        let server = Server::of(&[(status, headers, body)]);
        let error = ask(&server.client(SQS).await).await.unwrap_err();
        assert_eq!((error.kind, &*error.to_string()), (kind, told));
        assert_eq!(server.urls().len(), 1);
    }
}

fn message(number: u64) -> Message {
    Message {
        number,
        events: 1,
        body: "{}".to_owned(),
        group: Some("g".to_owned()),
        deduplication_id: Some(number.to_string()),
        attempt: 0,
        attributes: vec![("source", "realtime".to_owned())],
    }
}

#[tokio::test]
async fn each_entry_gets_its_own_answer() {
    let body = r#"{"Successful":[{"Id":"1","MessageId":"m"},{"Id":"9"},{"Id":"x"}],"Failed":[
        {"Id":"0","Code":"InvalidMessageContents","SenderFault":true,"Message":"bad \u0041"},
        {"Id":"2","Code":"ThrottlingException","SenderFault":true}]}"#;
    let server = Server::of(&[(200, vec![], body)]);
    let client = Arc::new(server.client(SQS).await);
    let queue = SignedQueue::new(client, "https://sqs.x/1/q.fifo".to_owned());
    let messages: Vec<_> = (0..4).map(message).collect();
    let results = queue.send(&messages).await.unwrap();
    let told: Vec<_> = results
        .into_iter()
        .map(|r| r.err().map(|e| e.to_string()))
        .collect();
    assert_eq!(
        told[0].as_deref(),
        Some("rejected: InvalidMessageContents: bad A")
    );
    assert_eq!(told[1], None);
    assert_eq!(told[2].as_deref(), Some("throttled: ThrottlingException: "));
    assert!(told[3].as_deref().unwrap().contains("NotMentioned"));
    let target = server.header(0, "x-amz-target");
    assert_eq!(target, "AmazonSQS.SendMessageBatch");
}

#[tokio::test]
async fn an_answer_that_is_none_may_be_asked_for_again() {
    for body in ["", "<html/>", "{\"Successful\":7}", "{\"Successful\":["] {
        let server = Server::of(&[(200, vec![], body)]);
        let queue = SignedQueue::new(
            Arc::new(server.client(SQS).await),
            "https://sqs.x/1/q".to_owned(),
        );
        let refusal = queue.send(&[message(0)]).await.unwrap_err();
        assert_eq!(
            (refusal.kind, &*refusal.code),
            (FailureKind::Transient, "BadResponse")
        );
        assert!(queue.depth().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_keeps_silent_is_given_up() {
    let server = Server {
        silent: true,
        ..Server::default()
    };
    let client = server.client(SQS).await;
    let begin = tokio::time::Instant::now();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Transient, "RequestTimeout")
    );
    client.prepare().await;
    assert_eq!(begin.elapsed(), 2 * sdk::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn what_is_missing_is_told_by_the_call() {
    let http = http_client_fn(|_, _| SharedHttpConnector::new(Server::default()));
    let server = Server::default();
    let no_region = sdk::defaults(http)
        .region(Region::new(""))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"));
    let client = server.client_by(SQS, no_region).await;
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Permanent, "NotSent")
    );
    let client = server.client_by(SQS, config().no_credentials()).await;
    let error = ask(&client).await.unwrap_err();
    assert!(error.message.contains("no credentials"), "{error}");
    assert_eq!(server.urls().len(), 0);
}
