//! Lambda `realtime`: wires and runs [`handler`].

mod handler;

use bridge_aws::realtime::ports;
use bridge_aws::sender::SqsClient;
use bridge_aws::{logging, metrics, sdk};
use bridge_core::config::RealtimeConfig;
use bridge_core::notification::trimmed::Trimmed;
use bridge_core::realtime::forwarder::Forwarder;
use bridge_core::realtime::invocation::Invocation;
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
            let (live, gate) = ports(&config.live, &sdk, &http);
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
