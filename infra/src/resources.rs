//! The kinds of resources the template makes, with the properties that the rules look at.
//!
//! An unknown kind is an error: whoever adds one decides here what must hold of it.

#![expect(
    missing_docs,
    reason = "names and meanings are CloudFormation's, see its Template Reference"
)]

mod events;
mod function;
mod queue;
mod table;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_norway::Value;

use crate::template::show;

pub use events::{EventsRule, RuleTarget};
pub use function::Function;
pub use queue::{Queue, RedrivePolicy};
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
    #[serde(default)]
    pub filter: NotificationFilter,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NotificationFilter {
    #[serde(rename = "S3Key")]
    pub key: KeyRules,
}

/// All of them must let a key through.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyRules {
    pub rules: Vec<KeyRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyRule {
    pub name: String,
    pub value: String,
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

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    pub version: String,
    pub statement: Vec<Statement>,
}

/// A field that is not listed (`NotAction` …) is an error: it would widen what the others say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(default)]
    pub sid: String,
    pub effect: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub principal: Value,
    #[serde(deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    #[serde(
        default,
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub resource: Vec<String>,
    /// Operator, then context key, then values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<String, BTreeMap<String, Value>>,
}

/// A role. Managed policies are no field: they would be an error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Role {
    pub description: String,
    #[serde(default)]
    pub path: String,
    pub permissions_boundary: Option<String>,
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
    /// Of a stream: where reading begins.
    #[serde(default)]
    pub starting_position: String,
    #[serde(default)]
    pub filter_criteria: FilterCriteria,
    /// Of a stream: whether a batch that fails is tried again in halves.
    #[serde(default)]
    pub bisect_batch_on_function_error: bool,
    /// Of a stream: for how long what fails is tried again, seconds; -1: for as long as it is kept.
    pub maximum_record_age_in_seconds: Option<i64>,
    /// Of a stream: how often; -1: as often as its age allows.
    pub maximum_retry_attempts: Option<i64>,
    #[serde(default)]
    pub function_response_types: Vec<String>,
    /// Seconds.
    pub maximum_batching_window_in_seconds: Option<String>,
    pub scaling_config: Option<ScalingConfig>,
}

/// Which records invoke the function: each entry alone lets one through.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FilterCriteria {
    pub filters: Vec<RecordFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordFilter {
    /// JSON.
    pub pattern: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScalingConfig {
    pub maximum_concurrency: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogGroup {
    #[serde(default)]
    pub log_group_name: String,
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
    #[serde(default)]
    pub dashboard_name: String,
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
pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
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

/// The same, where it may be left out.
fn some_number<'de, D: Deserializer<'de>, N>(from: D) -> Result<Option<N>, D::Error>
where
    N: FromStr<Err: Display>,
{
    number(from).map(Some)
}
