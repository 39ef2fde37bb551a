//! Who sends messages: [`crate::signed`], or the SDK's client.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bridge_core::queue::port::Queue;

use crate::queue::SqsQueue;
use crate::sdk;
use crate::signed::ServiceClient;
use crate::signed::queue::SignedQueue;
use crate::signed::service::SQS;

/// The variable that chooses: `sdk` is the SDK's client, for the case that the other has a fault that only AWS
/// shows; anything else is [`ServiceClient`].
pub const VARIABLE: &str = "SQS_CLIENT";

/// A client of SQS, for all queues.
#[derive(Debug, Clone)]
pub enum SqsClient {
    /// This program's own.
    Signed(Arc<ServiceClient>),
    /// The SDK's.
    Sdk(aws_sdk_sqs::Client),
}

impl SqsClient {
    /// As `SQS_CLIENT` says; this program's own talks by `http`.
    #[must_use]
    pub fn new(config: &SdkConfig, http: SharedHttpConnector) -> Self {
        if std::env::var(VARIABLE).is_ok_and(|client| client == "sdk") {
            return Self::Sdk(sdk::sqs(config));
        }
        let client = ServiceClient::new(SQS, config, http);
        Self::Signed(Arc::new(client))
    }

    /// The queue at `url`.
    #[must_use]
    pub fn queue(&self, url: String) -> Arc<dyn Queue> {
        match self {
            Self::Signed(client) => Arc::new(SignedQueue::new(Arc::clone(client), url)),
            Self::Sdk(client) => Arc::new(SqsQueue::new(client.clone(), url)),
        }
    }

    /// See [`ServiceClient::prepare`]; the SDK's prepares nothing.
    pub async fn prepare(&self) {
        if let Self::Signed(client) = self {
            client.prepare().await;
        }
    }
}
