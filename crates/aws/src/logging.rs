//! Structured JSON logs on standard output, one object a line, for `CloudWatch`.

use tracing_subscriber::EnvFilter;

/// Starts logging at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`, `trace`; default `info`),
/// or as `RUST_LOG` says in full.
pub fn init() {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // The SDK's own debug output would drown the program's.
        EnvFilter::new(format!(
            "warn,bridge_core={level},bridge_history={level},bridge_aws={level},realtime={level},\
             reseed={level}"
        ))
    });
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
}
