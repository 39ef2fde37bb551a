//! Queues.

use serde::Deserialize;

use super::{number, some_number};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Queue {
    #[serde(default)]
    pub queue_name: String,
    #[serde(default)]
    pub fifo_queue: bool,
    #[serde(default)]
    pub fifo_throughput_limit: String,
    #[serde(default)]
    pub deduplication_scope: String,
    /// Seconds.
    pub message_retention_period: Option<u32>,
    /// Seconds.
    #[serde(default, deserialize_with = "some_number")]
    pub visibility_timeout: Option<u32>,
    #[serde(default)]
    pub sqs_managed_sse_enabled: bool,
    pub kms_master_key_id: Option<String>,
    pub redrive_policy: Option<RedrivePolicy>,
    #[serde(default)]
    pub redrive_allow_policy: RedriveAllowPolicy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    pub dead_letter_target_arn: String,
    #[serde(deserialize_with = "number")]
    pub max_receive_count: u32,
}

/// Which queues may name this one for their dead letters; by default, all of the account.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedriveAllowPolicy {
    pub redrive_permission: String,
    pub source_queue_arns: Vec<String>,
}
