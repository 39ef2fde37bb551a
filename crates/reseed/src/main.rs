//! Lambda `reseed`: wires and runs [`handler`].

mod handler;

use std::sync::Arc;

use bridge_aws::continuation::LambdaContinuation;
use bridge_aws::jobs::DynamoJobs;
use bridge_aws::lister::S3Lister;
use bridge_aws::plans::S3Plans;
use bridge_aws::queue::SqsQueues;
use bridge_aws::{logging, sdk};
use bridge_core::clock::SystemClock;
use bridge_core::config::ReseedConfig;
use bridge_core::job::Ports;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

use handler::Reseed;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let config = ReseedConfig::read(&|name| std::env::var(name).ok())
        .inspect_err(|error| tracing::error!(%error, "bad configuration"))?;
    let sdk = sdk::load().await;
    let s3 = sdk::s3(&sdk);
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME")?;
    let ports = Ports {
        lister: Arc::new(S3Lister::new(&sdk, config.bucket.clone())),
        plans: Arc::new(S3Plans::new(s3, config.plan_bucket.clone())),
        queues: Arc::new(SqsQueues(aws_sdk_sqs::Client::new(&sdk))),
        jobs: Arc::new(DynamoJobs::new(aws_sdk_dynamodb::Client::new(&sdk), config.table.clone())),
        continuation: Arc::new(LambdaContinuation::new(aws_sdk_lambda::Client::new(&sdk), function)),
        clock: Arc::new(SystemClock),
    };
    let reseed = Reseed::new(config, ports);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let reseed = &reseed;
        async move {
            let context = event.context;
            let answer = reseed.handle(event.payload, &context.request_id, context.deadline());
            answer.await.map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: error.to_string(),
            })
        }
    }))
    .await
}
