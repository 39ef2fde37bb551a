//! What the program counts, as Prometheus reads it: `EventsForwarded` is `s3_sqs_bridge_events_forwarded_total`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_global_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::time::sleep;

/// What all names begin with.
const PREFIX: &str = "s3_sqs_bridge";

/// What is recorded is summed up at least so often: it is kept one by one until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of durations, milliseconds.
const BUCKETS_MS: [f64; 14] = [
    5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 3e4, 1e5, 1e6,
];

/// All that is counted.
#[derive(Clone)]
pub(crate) struct Figures {
    handle: Arc<PrometheusHandle>,
}

impl Figures {
    /// Counts from now on.
    ///
    /// # Errors
    /// When somebody counts already.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS_MS);
        let recorder = builder.context("the buckets of metrics")?.build_recorder();
        let handle = Arc::new(recorder.handle());
        set_global_recorder(Renamed(recorder))
            .map_err(|_| anyhow::anyhow!("metrics are counted already"))?;
        let upkeep = Arc::clone(&handle);
        tokio::spawn(async move {
            loop {
                sleep(UPKEEP).await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self { handle })
    }

    /// In Prometheus's text format.
    pub(crate) fn text(&self) -> String {
        self.handle.render()
    }
}

/// Prometheus's names for those of the code, which `CloudWatch` shows as they are.
struct Renamed(PrometheusRecorder);

/// `EventsForwarded` with `_total` is `s3_sqs_bridge_events_forwarded_total`.
fn renamed(name: &str, suffix: &str) -> String {
    let mut written = PREFIX.to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            written.push('_');
        }
        written.push(letter.to_ascii_lowercase());
    }
    written.push_str(suffix);
    written
}

fn key(key: &Key, suffix: &str) -> Key {
    let labels = key.labels().map(|label| {
        metrics::Label::new(label.key().to_ascii_lowercase(), label.value().to_owned())
    });
    Key::from_parts(renamed(key.name(), suffix), labels.collect::<Vec<_>>())
}

fn name(name: &KeyName, suffix: &str) -> KeyName {
    KeyName::from(renamed(name.as_str(), suffix))
}

impl Recorder for Renamed {
    fn describe_counter(&self, of: KeyName, unit: Option<Unit>, text: SharedString) {
        self.0.describe_counter(name(&of, "_total"), unit, text);
    }

    fn describe_gauge(&self, of: KeyName, unit: Option<Unit>, text: SharedString) {
        self.0.describe_gauge(name(&of, ""), unit, text);
    }

    fn describe_histogram(&self, of: KeyName, unit: Option<Unit>, text: SharedString) {
        self.0.describe_histogram(name(&of, ""), unit, text);
    }

    fn register_counter(&self, of: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(&key(of, "_total"), metadata)
    }

    fn register_gauge(&self, of: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(&key(of, ""), metadata)
    }

    fn register_histogram(&self, of: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(&key(of, ""), metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_prometheus_expects() {
        let expected = "s3_sqs_bridge_events_forwarded_total";
        assert_eq!(renamed("EventsForwarded", "_total"), expected);
        assert_eq!(renamed("LagMs", ""), "s3_sqs_bridge_lag_ms");
    }
}
