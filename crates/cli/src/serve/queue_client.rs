//! What is asked of the queue of notifications.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility,
    DeleteMessageBatchRequestEntry as Delete, MessageSystemAttributeName as System,
    QueueAttributeName,
};
use bridge_aws::request_error::RequestError;

/// Messages that one request hands over, at most.
/// Source: Amazon SQS API Reference, "`ReceiveMessage`", as the next two.
pub(crate) const MOST_RECEIVED: u16 = 10;

/// Bytes of all their texts, at most.
pub(crate) const MOST_RECEIVED_BYTES: usize = 1024 * 1024;

/// How long a request waits for the first message, seconds.
const WAIT: i32 = 20;

/// The longest that such a request may take.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that was handed over.
pub(crate) struct Taken {
    /// The queue's name of it.
    pub id: String,
    /// What it holds.
    pub body: String,
    /// What it is deleted by.
    pub receipt: String,
    /// How often it was handed over, where that is told.
    pub receives: Option<String>,
}

/// A queue of notifications.
#[derive(Clone)]
pub(crate) struct NotificationQueue {
    client: Client,
    url: String,
}

impl NotificationQueue {
    /// The queue at `url`.
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Waits for messages, which nobody else gets for `hidden` seconds.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn receive(&self, most: u16, hidden: i32) -> Result<Vec<Taken>, RequestError> {
        let longer = TimeoutConfig::builder().operation_attempt_timeout(RECEIVE_TIMEOUT);
        let request = self.client.receive_message();
        let answer = request
            .queue_url(&self.url)
            .max_number_of_messages(i32::from(most))
            .wait_time_seconds(WAIT)
            .visibility_timeout(hidden)
            .message_system_attribute_names(System::ApproximateReceiveCount)
            .customize()
            .config_override(Builder::new().timeout_config(longer.build()))
            .send()
            .await
            .map_err(|error| RequestError::of(&error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        let taken = messages.map(|message| Taken {
            receives: message
                .attributes
                .and_then(|mut all| all.remove(&System::ApproximateReceiveCount)),
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
        });
        Ok(taken.collect())
    }

    /// Hides messages for so many seconds from now, [`MOST_RECEIVED`] at most.
    ///
    /// # Errors
    /// The queue's; of some messages it may have worked.
    pub(crate) async fn hide(&self, hidden: &[(&str, i32)]) -> Result<(), RequestError> {
        let entries = hidden
            .iter()
            .enumerate()
            .map(|(index, (receipt, seconds))| {
                let entry = Visibility::builder().id(index.to_string());
                entry
                    .receipt_handle(*receipt)
                    .visibility_timeout(*seconds)
                    .build()
                    .expect("it has an id and a receipt")
            });
        let request = self.client.change_message_visibility_batch();
        let request = request.queue_url(&self.url);
        let request = request.set_entries(Some(entries.collect()));
        let answer = request.send().await;
        answer.map(|_| ()).map_err(|error| RequestError::of(&error))
    }

    /// Deletes messages, [`MOST_RECEIVED`] at most. Answers which are still there, by their places.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn delete(&self, receipts: &[&str]) -> Result<Vec<usize>, RequestError> {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            Delete::builder()
                .id(index.to_string())
                .receipt_handle(*receipt)
                .build()
                .expect("it has an id and a receipt")
        });
        let request = self.client.delete_message_batch().queue_url(&self.url);
        let request = request.set_entries(Some(entries.collect()));
        let answer = request.send().await;
        let answer = answer.map_err(|error| RequestError::of(&error))?;
        let failed = answer.failed.into_iter();
        Ok(failed.filter_map(|entry| entry.id.parse().ok()).collect())
    }

    /// How long it keeps a message; `None` where it does not say.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn retention(&self) -> Result<Option<Duration>, RequestError> {
        let name = QueueAttributeName::MessageRetentionPeriod;
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| RequestError::of(&error))?;
        let seconds = answer
            .attributes()
            .and_then(|all| all.get(&name)?.parse().ok());
        Ok(seconds.map(Duration::from_secs))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
