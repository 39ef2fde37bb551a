//! What is asked of a queue whose messages are received: that of notifications, and one that is compared (`verify`).

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder as Receive;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility,
    DeleteMessageBatchRequestEntry as Delete, Message, MessageSystemAttributeName as System,
    QueueAttributeName,
};
use bridge_aws::request_error::RequestError;
use tokio::time::sleep;

/// Messages that one request hands over, at most.
/// Source: Amazon SQS API Reference, "`ReceiveMessage`", as the next two.
pub(crate) const MOST_RECEIVED: u16 = 10;

/// Bytes of all their texts, at most.
pub(crate) const MOST_RECEIVED_BYTES: usize = 1024 * 1024;

/// How long a request waits for the first message, seconds.
const WAIT: i32 = 20;

/// The longest that such a request may take.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often deleting is tried.
const DELETE_ATTEMPTS: u32 = 4;

/// Between two attempts to delete.
const DELETE_PAUSE: Duration = Duration::from_millis(200);

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

/// A queue whose messages are received.
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
        let request = self.request(most, hidden).wait_time_seconds(WAIT);
        let request = request.message_system_attribute_names(System::ApproximateReceiveCount);
        let messages = received(request).await?.into_iter();
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

    /// The same for `wait` seconds at most; messages with all that the queue knows of them.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn receive_whole(
        &self,
        hidden: i32,
        wait: i32,
    ) -> Result<Vec<Message>, RequestError> {
        let request = self.request(MOST_RECEIVED, hidden).wait_time_seconds(wait);
        let request = request.message_attribute_names("All");
        received(request.message_system_attribute_names(System::All)).await
    }

    fn request(&self, most: u16, hidden: i32) -> Receive {
        let request = self.client.receive_message().queue_url(&self.url);
        request
            .max_number_of_messages(i32::from(most))
            .visibility_timeout(hidden)
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
    async fn delete(&self, receipts: &[&str]) -> Result<Vec<usize>, RequestError> {
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

    /// Deletes messages, [`MOST_RECEIVED`] at most, and tries so more than once. Answers how many may still be there.
    pub(crate) async fn delete_all(&self, receipts: &[impl AsRef<str>]) -> usize {
        let mut receipts: Vec<_> = receipts.iter().map(AsRef::as_ref).collect();
        for attempt in 1..=DELETE_ATTEMPTS {
            match self.delete(&receipts).await {
                Ok(left) if left.is_empty() => return 0,
                Ok(left) => {
                    let still = left.iter().filter_map(|place| receipts.get(*place));
                    receipts = still.copied().collect();
                }
                Err(error) => tracing::warn!(%error, attempt, "deleting messages"),
            }
            sleep(DELETE_PAUSE * attempt).await;
        }
        receipts.len()
    }

    /// What it says of itself, by the names of what is asked for.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn attributes(
        &self,
        names: &[QueueAttributeName],
    ) -> Result<HashMap<QueueAttributeName, String>, RequestError> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.set_attribute_names(Some(names.to_vec()));
        let answer = request.send().await;
        let answer = answer.map_err(|error| RequestError::of(&error))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// How long it keeps a message; `None` where it does not say.
    ///
    /// # Errors
    /// The queue's.
    pub(crate) async fn retention(&self) -> Result<Option<Duration>, RequestError> {
        let name = QueueAttributeName::MessageRetentionPeriod;
        let all = self.attributes(std::slice::from_ref(&name)).await?;
        let seconds = all.get(&name).and_then(|text| text.parse().ok());
        Ok(seconds.map(Duration::from_secs))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Which region is asked.
    pub(crate) fn region(&self) -> &str {
        let region = self.client.config().region();
        region.map_or("", |region| region.as_ref())
    }
}

/// What a request brings: it may wait longer than others.
async fn received(request: Receive) -> Result<Vec<Message>, RequestError> {
    let longer = TimeoutConfig::builder().operation_attempt_timeout(RECEIVE_TIMEOUT);
    let longer = Builder::new().timeout_config(longer.build());
    let answer = request.customize().config_override(longer).send().await;
    let answer = answer.map_err(|error| RequestError::of(&error))?;
    Ok(answer.messages.unwrap_or_default())
}
