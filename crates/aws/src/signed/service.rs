//! Services, and how each wants to be spoken to.

/// A service that speaks one of AWS's JSON protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What the SDKs call it: `AWS_ENDPOINT_URL_…` and the profile's `services` are of this name.
    pub id: &'static str,
    /// What signatures are for.
    pub signing_name: &'static str,
    /// What stands before the operation in `X-Amz-Target`; empty where the path names it.
    pub target: &'static str,
    /// The protocol's version.
    pub content_type: &'static str,
    /// Whether it tells its older protocol's error codes when asked to (`x-amzn-query-error`), which users know
    /// and this program classifies.
    /// Source: Smithy 2.0, "AWS JSON 1.0 protocol", "`awsQueryCompatible`".
    pub has_query_codes: bool,
}

/// Amazon SQS.
pub const SQS: Service = Service {
    id: "SQS",
    signing_name: "sqs",
    target: "AmazonSQS",
    content_type: "application/x-amz-json-1.0",
    has_query_codes: true,
};

/// Amazon `DynamoDB`.
pub const DYNAMODB: Service = Service {
    id: "DynamoDB",
    signing_name: "dynamodb",
    target: "DynamoDB_20120810",
    content_type: "application/x-amz-json-1.0",
    has_query_codes: false,
};

/// Amazon `CloudWatch`.
pub const CLOUDWATCH: Service = Service {
    id: "CloudWatch",
    signing_name: "monitoring",
    target: "GraniteServiceVersion20100801",
    content_type: "application/x-amz-json-1.0",
    has_query_codes: true,
};

/// AWS Key Management Service.
pub const KMS: Service = Service {
    id: "KMS",
    signing_name: "kms",
    target: "TrentService",
    content_type: "application/x-amz-json-1.1",
    has_query_codes: false,
};

/// Amazon `EventBridge` Scheduler, of which only what a path asks for is asked.
pub const SCHEDULER: Service = Service {
    id: "Scheduler",
    signing_name: "scheduler",
    target: "",
    content_type: "application/json",
    has_query_codes: false,
};
