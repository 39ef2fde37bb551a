//! SQS's answers, through both clients: as a send and as a question for attributes.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_config::Region;
use aws_sdk_sqs::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bridge_aws::queue::SqsQueue;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::queue::SignedQueue;
use bridge_aws::signed::service::SQS;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::Queue;
use bytes::Bytes;

use super::block_on;

pub(super) const WORDS: &[&str] = &[
    "\"Successful\":[",
    "\"Failed\":[",
    "\"Id\":\"0\"",
    "\"Id\":\"18446744073709551615\"",
    "\"SenderFault\":true",
    "\"Code\":\"RequestThrottled\"",
    "\"MessageId\":",
    "\"MD5OfMessageBody\":",
    "\"Attributes\":{",
    "\"MaximumMessageSize\":\"",
    "\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"",
    "null",
    "[[[[",
    "\\ud800",
];

/// What the server answers next.
static ANSWER: Mutex<Bytes> = Mutex::new(Bytes::new());

#[derive(Debug)]
struct Server;

impl HttpConnector for Server {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let answer = ANSWER
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let is_error = answer.windows(6).any(|part| part == b"__type");
        let status = if is_error { 400 } else { 200 };
        let status = status.try_into().expect("both are statuses");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}

const URL: &str = "https://sqs.x/1/q";

/// The queue by this program's own client, and by the SDK's.
fn queues() -> [Arc<dyn Queue>; 2] {
    let connector = SharedHttpConnector::new(Server);
    let own = connector.clone();
    let config = sdk::defaults(http_client_fn(move |_, _| connector.clone()))
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "fuzz"));
    let config = block_on(config.load());
    let client = ServiceClient::new(SQS, &config, own);
    [
        Arc::new(SignedQueue::new(Arc::new(client), URL.to_owned())),
        Arc::new(SqsQueue::new(sdk::sqs(&config), URL.to_owned())),
    ]
}

pub(super) fn accepts(input: &[u8]) -> bool {
    static QUEUES: OnceLock<[Arc<dyn Queue>; 2]> = OnceLock::new();
    let queues = QUEUES.get_or_init(queues);
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = Bytes::copy_from_slice(input);
    let message = |number: u64| Message {
        number,
        events: 1,
        body: "{}".to_owned(),
        group: None,
        deduplication_id: None,
        attempt: 0,
        attributes: Vec::new(),
    };
    let messages = [message(0), message(1)];
    let accepted = queues.each_ref().map(|queue| {
        block_on(async {
            let sent = queue.send(&messages).await;
            if let Ok(results) = &sent {
                assert_eq!(results.len(), 2, "an entry is reported twice or never");
            }
            let asked = [
                queue.depth().await.is_ok(),
                queue.max_message_bytes().await.is_ok(),
            ];
            sent.is_ok_and(|results| results.iter().any(Result::is_ok)) || asked.contains(&true)
        })
    });
    accepted.contains(&true)
}
