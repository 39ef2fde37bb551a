//! Metrics on standard output in `CloudWatch`'s embedded metric format: `CloudWatch Logs` makes metrics
//! of these lines, and no request is made for them.
//!
//! Counted where it happens, by the facade `metrics`; the names are in docs/OPERATIONS.md.

use std::io::Write as _;
use std::time::Duration;

use metrics_cloudwatch_embedded::{Builder, Collector};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "S3SqsBridge";

/// What is counted is written out at least so often: a segment can last a quarter of an hour.
const FLUSH_EVERY: Duration = Duration::from_secs(30);

/// Starts counting, with the function's name as the dimension. `None`, and a log line, if somebody
/// counts already.
#[must_use]
pub fn init() -> Option<&'static Collector> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "local".to_owned());
    Builder::new()
        .cloudwatch_namespace(NAMESPACE)
        .with_dimension("FunctionName", function)
        .with_auto_flush_interval(FLUSH_EVERY)
        .init()
        .inspect_err(|error| tracing::error!(%error, "metrics cannot be counted"))
        .ok()
}

/// Writes out what was counted; at the end of an invocation, since Lambda freezes the process then.
pub fn flush(collector: Option<&Collector>) {
    let Some(collector) = collector else { return };
    // At once: standard output by itself takes its lock for every word.
    let mut lines = Vec::with_capacity(1024);
    let written = collector
        .flush(&mut lines)
        .and_then(|()| std::io::stdout().write_all(&lines));
    if let Err(error) = written {
        tracing::error!(%error, "metrics cannot be written");
    }
}
