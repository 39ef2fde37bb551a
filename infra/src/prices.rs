//! What AWS asks for what, from `prices.yaml`.

use serde::Deserialize;

/// The prices that come with the repository.
pub const PRICES: &str = include_str!("../prices.yaml");

/// US dollars.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// When they were collected.
    pub as_of: String,
    pub(crate) s3: S3,
    pub(crate) sqs: Sqs,
    pub(crate) lambda: Lambda,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) eventbridge: EventBridge,
    pub(crate) scheduler: Scheduler,
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) kms: Kms,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) thousand_list_and_put: f64,
    pub(crate) thousand_get: f64,
    pub(crate) gib_month: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sqs {
    pub(crate) million_fifo_requests: f64,
    pub(crate) million_standard_requests: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lambda {
    pub(crate) million_invocations: f64,
    pub(crate) gib_second_x86_64: f64,
    pub(crate) gib_second_arm64: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DynamoDb {
    pub(crate) million_writes: f64,
    pub(crate) million_reads: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventBridge {
    pub(crate) million_events: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scheduler {
    pub(crate) million_invocations: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudWatch {
    pub(crate) gib_of_logs: f64,
    pub(crate) alarm_month: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kms {
    pub(crate) key_month: f64,
    pub(crate) ten_thousand_requests: f64,
}

impl Prices {
    /// Reads `prices.yaml`.
    ///
    /// # Errors
    /// When something is missing or unknown.
    pub fn read(text: &str) -> Result<Self, serde_norway::Error> {
        serde_norway::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_price_is_named() {
        let error = Prices::read(&format!("{PRICES}\nsns: {{}}\n")).unwrap_err();
        assert!(error.to_string().contains("sns"), "{error}");
    }
}
