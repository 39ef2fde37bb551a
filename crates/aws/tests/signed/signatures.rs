//! Signatures, with which credentials, and of what time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use bridge_aws::sdk;
use bridge_aws::signed::service::{DYNAMODB, SQS};
use bridge_core::failure::FailureKind;
use bridge_core::listing::lister::Lister as _;
use bridge_core::listing::page::Marker;
use bridge_core::watched::Versioned as _;
use serde_json::Value;

use crate::server::{DATE, LATER, NOW, Server, ask, config, now};

#[tokio::test]
async fn signatures_are_those_of_botocore() {
    let recorded: Value =
        serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
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

#[tokio::test]
async fn signatures_of_reads_are_those_of_botocore() {
    let recorded: Value =
        serde_json::from_str(include_str!("../fixtures/signatures.json")).unwrap();
    let reads = recorded["reads"].as_array().unwrap();
    assert_eq!(reads.len(), 4);
    for read in reads {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let token = text(&read["token"]);
        let credentials = Credentials::new("AKIDEXAMPLE", secret, token.clone(), None, "test");
        let url = text(&read["url"]).unwrap();
        let loader = config()
            .region(Region::new(text(&read["region"]).unwrap()))
            .use_fips(url.contains("fips"))
            .credentials_provider(credentials);
        let loader = match url.split_once("ledger/") {
            Some((endpoint, _)) => loader.endpoint_url(endpoint),
            None => loader,
        };
        let document = "<ListVersionsResult/>";
        let server = Server::of(&[(200, vec![], document)]);
        let bucket = server.bucket(loader, "ledger").await;
        let asked = &read["asked"];
        if asked == "versioning" {
            bucket.versioning().await.unwrap_err();
        } else {
            let marker = text(&asked[1]).map(|key| Marker {
                key,
                version_id: text(&asked[2]),
            });
            let prefix = asked[0].as_str().unwrap();
            let page = bucket.list(prefix, marker.as_ref()).await;
            assert_eq!(page.unwrap(), document);
        }
        assert_eq!(server.urls(), [url]);
        for (name, expected) in [
            ("authorization", text(&read["authorization"])),
            ("x-amz-content-sha256", text(&read["sha256"])),
            ("x-amz-date", text(&read["date"])),
            ("x-amz-security-token", token),
            ("x-amz-target", None),
        ] {
            assert_eq!(server.header(0, name), expected.unwrap_or_default());
        }
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
