//! Lambda `realtime`: wires and runs [`handler`].

mod handler;

use bridge_aws::live::DynamoLive;
use bridge_aws::queue::SqsQueue;
use bridge_aws::stream::DynamoStream;
use bridge_aws::{logging, metrics, sdk};
use bridge_core::config::{LiveConfig, RealtimeConfig};
use bridge_core::live::store::LiveStore;
use bridge_core::live::stream::LiveOrder;
use handler::{Forwarder, Gate, Invocation, budget};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument as _;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let counts = metrics::init();
    let forwarder = match RealtimeConfig::read(&|name| std::env::var(name).ok()) {
        Ok(config) => {
            let sdk = sdk::load().await;
            let queue = SqsQueue::new(sdk::sqs(&sdk), config.common.queue_url.clone());
            let (live, gate): (Option<Box<dyn LiveStore>>, _) = match &config.live {
                LiveConfig::Notified => (None, Gate::Open),
                LiveConfig::Newest { table } => {
                    let client = sdk::dynamodb(&sdk);
                    let stream = DynamoStream::new(client.clone(), table.clone());
                    let store = DynamoLive::new(client, table.clone());
                    (
                        Some(Box::new(store)),
                        Gate::by(Box::new(stream), LiveOrder::Newest),
                    )
                }
            };
            Ok(Forwarder::new(config, queue, gate, live))
        }
        Err(error) => {
            tracing::error!(%error, "bad configuration");
            Err(error)
        }
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
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
            let answer = forwarder.handle(&event.payload, &invocation);
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
