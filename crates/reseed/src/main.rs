//! Lambda `reseed`: wires and runs [`handler`].

mod handler;

use std::sync::Arc;
use std::time::Duration;

use bridge_aws::bucket_clock::S3Clock;
use bridge_aws::continuation::LambdaContinuation;
use bridge_aws::event_bus::DefaultBus;
use bridge_aws::jobs::DynamoJobs;
use bridge_aws::lister::S3Lister;
use bridge_aws::mapping::LambdaMapping;
use bridge_aws::plans::{S3Elsewhere, S3Plans};
use bridge_aws::queues::SqsQueues;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_aws::watched::S3Watched;
use bridge_aws::{logging, machine, metrics, sdk};
use bridge_core::clock::SystemClock;
use bridge_core::config::{FollowConfig, ReseedConfig};
use bridge_core::live::newest::GRACE;
use bridge_history::job::live::{LivePorts, Mapping};
use bridge_history::job::ports::Ports;
use bridge_history::send::target::Target;
use handler::{Reseed, Watch};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let counts = metrics::init();
    let reseed = match ReseedConfig::read(&|name| std::env::var(name).ok()) {
        Ok(config) => Ok(wire(config).await),
        Err(error) => {
            tracing::error!(%error, "bad configuration");
            Err(error)
        }
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let reseed = &reseed;
        async move {
            // Answered again and again: an exit would show the invoker nothing but its status.
            let reseed = reseed.as_ref().map_err(|error| Diagnostic {
                error_type: "BadConfiguration".to_owned(),
                error_message: error.to_string(),
            })?;
            let context = event.context;
            let answer = reseed.handle(event.payload, &context.request_id, context.deadline());
            let answer = answer.await;
            metrics::flush(counts);
            answer.map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: error.to_string(),
            })
        }
    }))
    .await
}

/// How long something live may be on its way after nothing more is sent: an invocation, the batch that it
/// waits for, and a request that nobody waits for any more.
fn on_its_way(follow: &FollowConfig) -> Duration {
    follow.realtime_timeout + follow.batch_window + GRACE
}

/// The AWS adapters of all ports.
async fn wire(config: ReseedConfig) -> Reseed {
    let sdk = machine::load().await;
    // Lambda sets the name; elsewhere (cargo lambda watch) cargo-lambda does.
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let lambda = sdk::lambda(&sdk);
    let itself = LambdaContinuation::new(lambda.clone(), function);
    let http = sdk::connector();
    let live = config.follow.as_ref().map(|follow| {
        let mapping = |id: &String| -> Arc<dyn Mapping> {
            Arc::new(LambdaMapping::new(lambda.clone(), id.clone()))
        };
        let table = ServiceClient::new(DYNAMODB, &sdk, http.clone());
        LivePorts {
            stream: Arc::new(DynamoStream::new(Arc::new(table), follow.table.clone())),
            queue: Target::parse(&config.common.queue_url),
            mapping: follow.mapping.as_ref().map(mapping),
            buffer_url: follow.buffer_url.clone(),
            bucket_clock: Arc::new(S3Clock::new(sdk::s3(&sdk), config.bucket.clone())),
            on_its_way: on_its_way(follow),
            retention: follow.buffer_retention,
        }
    });
    let ports = Ports {
        lister: Arc::new(S3Lister::new(&sdk, config.bucket.clone())),
        plans: Arc::new(S3Plans::new(sdk::s3(&sdk), config.plan_bucket.clone())),
        elsewhere: Some(Arc::new(S3Elsewhere::new(sdk::s3(&sdk)))),
        queues: Arc::new(SqsQueues {
            client: SqsClient::new(&sdk, http),
            failure_queue: config.failure_queue.clone(),
        }),
        jobs: Arc::new(DynamoJobs::new(sdk::dynamodb(&sdk), config.table.clone())),
        continuation: Arc::new(itself.clone()),
        clock: Arc::new(SystemClock),
        live,
    };
    let watch = Watch {
        bucket: Box::new(S3Watched::new(sdk::s3(&sdk), config.bucket.clone())),
        changes_go_to: std::env::var("CHANGES_GO_TO").unwrap_or_default(),
        itself,
    };
    // Lambda sets it; elsewhere it is the template's default.
    let memory = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1024);
    let bus = Box::new(DefaultBus::new(sdk::eventbridge(&sdk)));
    Reseed::new(config, ports, watch, bus, memory)
}
