//! The kinds of resources the template makes, with the properties that the rules look at.
//!
//! An unknown kind is an error: whoever adds one decides here what must hold of it.

#![expect(
    missing_docs,
    reason = "names and meanings are CloudFormation's, see its Template Reference"
)]

mod table;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_norway::Value;

use crate::template::show;

pub use table::{AttributeDefinition, Index, Table};

/// A resource of a [`crate::stack::Stack`], references in it as `${Queue.Arn}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "Type", content = "Properties")]
pub enum Resource {
    #[serde(rename = "AWS::S3::Bucket")]
    Bucket(Bucket),
    #[serde(rename = "AWS::S3::BucketPolicy")]
    BucketPolicy(BucketPolicy),
    #[serde(rename = "AWS::SQS::Queue")]
    Queue(Queue),
    #[serde(rename = "AWS::SQS::QueuePolicy")]
    QueuePolicy(QueuePolicy),
    #[serde(rename = "AWS::Serverless::Function")]
    Function(Box<Function>),
    #[serde(rename = "AWS::IAM::Role")]
    Role(Role),
    #[serde(rename = "AWS::IAM::Policy")]
    Policy(AttachedPolicy),
    #[serde(rename = "AWS::Lambda::Permission")]
    Permission(Permission),
    #[serde(rename = "AWS::Lambda::EventSourceMapping")]
    Mapping(Mapping),
    #[serde(rename = "AWS::Events::Rule")]
    EventsRule(EventsRule),
    #[serde(rename = "AWS::Logs::LogGroup")]
    LogGroup(LogGroup),
    #[serde(rename = "AWS::DynamoDB::Table")]
    Table(Table),
    #[serde(rename = "AWS::CloudWatch::Alarm")]
    Alarm(Alarm),
    #[serde(rename = "AWS::CloudWatch::Dashboard")]
    Dashboard(Dashboard),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Bucket {
    #[serde(default)]
    pub versioning_configuration: Status,
    #[serde(default)]
    pub bucket_encryption: BucketEncryption,
    #[serde(default)]
    pub public_access_block_configuration: PublicAccessBlock,
    #[serde(default)]
    pub notification_configuration: Notifications,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Status {
    pub status: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct BucketEncryption {
    #[serde(rename = "ServerSideEncryptionConfiguration")]
    pub rules: Vec<EncryptionRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EncryptionRule {
    pub server_side_encryption_by_default: EncryptionDefault,
}

#[derive(Debug, Deserialize)]
pub struct EncryptionDefault {
    #[serde(rename = "SSEAlgorithm")]
    pub algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    pub key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "S3's four switches")]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub block_public_policy: bool,
    pub ignore_public_acls: bool,
    pub restrict_public_buckets: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Notifications {
    pub lambda_configurations: Vec<Notification>,
    pub queue_configurations: Vec<Notification>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Notification {
    pub event: String,
    #[serde(alias = "Function", alias = "Queue")]
    pub target: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BucketPolicy {
    pub bucket: String,
    pub policy_document: PolicyDocument,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueuePolicy {
    pub queues: Vec<String>,
    pub policy_document: PolicyDocument,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    pub statement: Vec<Statement>,
}

/// A field that is not listed (`NotAction` …) is an error: it would widen what the others say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(default)]
    pub sid: String,
    pub effect: String,
    #[serde(default)]
    pub principal: Value,
    #[serde(deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub resource: Vec<String>,
    /// Operator, then context key, then values.
    #[serde(default)]
    pub condition: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Queue {
    #[serde(default)]
    pub fifo_queue: bool,
    #[serde(default)]
    pub fifo_throughput_limit: String,
    #[serde(default)]
    pub deduplication_scope: String,
    /// Seconds.
    pub message_retention_period: Option<u32>,
    /// Seconds.
    pub visibility_timeout: Option<u32>,
    #[serde(default)]
    pub sqs_managed_sse_enabled: bool,
    pub kms_master_key_id: Option<String>,
    pub redrive_policy: Option<RedrivePolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    pub dead_letter_target_arn: String,
    pub max_receive_count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    pub runtime: String,
    #[serde(default)]
    pub tracing: String,
    pub architectures: Vec<String>,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    pub timeout: u32,
    pub recursive_loop: Option<String>,
    pub reserved_concurrent_executions: Option<String>,
    pub logging_config: LoggingConfig,
    pub environment: Environment,
    #[serde(default)]
    pub events: BTreeMap<String, FunctionEvent>,
    #[serde(default)]
    pub event_invoke_config: EventInvokeConfig,
    /// Without one, SAM makes a role with managed policies that nobody here has read.
    #[serde(default)]
    pub role: String,
}

/// A role. Managed policies are no field: they would be an error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Role {
    pub description: String,
    pub assume_role_policy_document: PolicyDocument,
    pub policies: Vec<RolePolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RolePolicy {
    pub policy_document: PolicyDocument,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoggingConfig {
    pub log_group: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionEvent {
    pub r#type: String,
    pub properties: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventInvokeConfig {
    #[serde(default)]
    pub destination_config: DestinationConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DestinationConfig {
    pub on_failure: Option<Destination>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destination {
    pub destination: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Permission {
    pub function_name: String,
    pub action: String,
    pub principal: String,
    pub source_account: Option<String>,
    pub source_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mapping {
    pub event_source_arn: String,
    pub function_name: String,
    #[serde(default)]
    pub function_response_types: Vec<String>,
    /// Seconds.
    pub maximum_batching_window_in_seconds: Option<String>,
    pub scaling_config: Option<ScalingConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingConfig {
    pub maximum_concurrency: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventsRule {
    pub event_pattern: EventPattern,
    pub targets: Vec<RuleTarget>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventPattern {
    pub source: Vec<String>,
    pub detail_type: Vec<String>,
    #[serde(default)]
    pub detail: EventDetail,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventDetail {
    pub bucket: EventBucket,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventBucket {
    pub name: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleTarget {
    pub arn: String,
    pub dead_letter_config: Option<DeadLetterConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeadLetterConfig {
    pub arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogGroup {
    pub retention_in_days: Option<String>,
    pub kms_key_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    pub namespace: String,
    pub metric_name: String,
    pub dimensions: Vec<Dimension>,
    pub treat_missing_data: String,
    #[serde(default)]
    pub alarm_actions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    pub value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dashboard {
    /// JSON.
    pub dashboard_body: String,
}

/// A policy that is attached to roles after these are made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachedPolicy {
    pub roles: Vec<String>,
    pub policy_document: PolicyDocument,
}

impl Role {
    /// All that it allows.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        let documents = self.policies.iter().map(|policy| &policy.policy_document);
        documents.flat_map(|document| &document.statement)
    }
}

/// One text, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Sequence(items) => Ok(items.iter().map(show).collect()),
        one => Ok(vec![show(&one)]),
    }
}

/// A number; a parameter's is text.
fn number<'de, D: Deserializer<'de>, N>(from: D) -> Result<N, D::Error>
where
    N: FromStr<Err: Display>,
{
    let written = show(&Value::deserialize(from)?);
    written
        .parse()
        .map_err(|error| D::Error::custom(format!("{written}: {error}")))
}
