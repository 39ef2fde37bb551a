//! Functions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_norway::Value;

use super::number;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    #[serde(default)]
    pub function_name: String,
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
    pub maximum_retry_attempts: Option<u32>,
    /// How long an event may wait, seconds.
    pub maximum_event_age_in_seconds: Option<u32>,
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
