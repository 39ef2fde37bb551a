//! Lambda `realtime`: wires and runs [`handler`].

mod handler;

use std::sync::{Arc, Mutex};

use bridge_aws::keys::DynamoKeys;
use bridge_aws::live::DynamoLive;
use bridge_aws::sdk::{SdkConfig, SharedHttpConnector};
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_aws::{logging, metrics, sdk};
use bridge_core::config::{LiveConfig, RealtimeConfig};
use bridge_core::live::stream::LiveOrder;
use bridge_core::notification::trimmed::Trimmed;
use bridge_core::realtime::exact::ExactPorts;
use bridge_core::realtime::forwarder::Forwarder;
use bridge_core::realtime::gate::Gate;
use bridge_core::realtime::invocation::Invocation;
use bridge_core::realtime::send::Live;
use handler::{budget, handle};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use tracing::Instrument as _;

// Lambda gives it less than one processor, and one invocation at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logging::init();
    let counts = metrics::init();
    let forwarder = match RealtimeConfig::read(&|name| std::env::var(name).ok()) {
        Ok(config) => {
            let (sdk, http) = (sdk::of_environment(), sdk::connector());
            let sqs = SqsClient::new(&sdk, http.clone());
            let queue = sqs.queue(config.common.queue_url.clone());
            // Beside the first question for an invocation, and not before it.
            tokio::spawn(async move { sqs.prepare().await });
            let (live, gate) = live(&config.live, &sdk, &http);
            Ok(Forwarder::new(config, queue, gate, live))
        }
        Err(error) => {
            tracing::error!(%error, "bad configuration");
            Err(error)
        }
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<Trimmed>| {
        let forwarder = &forwarder;
        async move {
            // Answered again and again: an exit would show the invoker nothing but its status.
            let forwarder = forwarder.as_ref().map_err(|error| Diagnostic {
                error_type: "BadConfiguration".to_owned(),
                error_message: error.to_string(),
            })?;
            let invocation = Invocation {
                request_id: &event.context.request_id,
                budget: budget(event.context.deadline()),
            };
            let span = tracing::info_span!("invocation", request_id = invocation.request_id);
            let answer = handle(forwarder, event.payload.0, &invocation);
            let answer = answer.instrument(span);
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

/// What is sent of what comes, and whether anything is.
fn live(config: &LiveConfig, sdk: &SdkConfig, http: &SharedHttpConnector) -> (Live, Gate) {
    let (table, order) = match config {
        LiveConfig::Notified => return (Live::Notified, Gate::Open),
        LiveConfig::Newest { table } => (table, LiveOrder::Newest),
        LiveConfig::Exact { table } => (table, LiveOrder::Exact),
    };
    let client = Arc::new(ServiceClient::new(DYNAMODB, sdk, http.clone()));
    let stream = DynamoStream::new(client.clone(), table.clone());
    let gate = Gate::by(Box::new(stream), order);
    let live = match config {
        LiveConfig::Exact { .. } => {
            let s3 = S3Client::new(sdk, http.clone());
            Live::Exact(exact(DynamoKeys::new(client, table.clone()), Arc::new(s3)))
        }
        _ => Live::Newest(Box::new(DynamoLive::new(client, table.clone()))),
    };
    (live, gate)
}

/// What `exact` works with.
fn exact(keys: DynamoKeys, s3: Arc<S3Client>) -> ExactPorts {
    let bucket = move |name: &str| SignedBucket::new(Arc::clone(&s3), name.to_owned());
    let same = bucket.clone();
    ExactPorts {
        keys: Box::new(keys),
        lister: Box::new(move |name| Box::new(bucket(name))),
        watched: Box::new(move |name| Box::new(same(name))),
        dialect: sdk::dialect(),
        versioned: Mutex::default(),
    }
}
