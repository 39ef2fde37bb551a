//! Rules of an event bus.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventsRule {
    #[serde(default)]
    pub name: String,
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
    pub object: Option<EventObject>,
}

/// Each entry alone lets an event through.
#[derive(Debug, Deserialize)]
pub struct EventObject {
    pub key: Vec<BTreeMap<String, String>>,
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
