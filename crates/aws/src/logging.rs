//! Structured JSON logs on standard output, one object a line, for `CloudWatch`.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`; `trace` tells no more in a release; default `info`), or as `RUST_LOG`
/// says by module (`warn,bridge_core=debug`).
pub fn init() {
    let told = std::env::var("RUST_LOG").ok();
    let told = told.and_then(|text| text.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    tracing_subscriber::registry()
        .with(told.unwrap_or_else(own))
        .with(lines)
        .init();
}

/// The SDK's own debug output would drown the program's.
fn own() -> Targets {
    let level = std::env::var("LOG_LEVEL").ok();
    let level = level.and_then(|text| text.parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    let modules = [
        "bridge_core",
        "bridge_history",
        "bridge_aws",
        "realtime",
        "reseed",
        "s3_sqs_bridge",
    ];
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(modules.map(|module| (module, level)))
}
