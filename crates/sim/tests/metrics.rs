//! What a job counts, and how long a stalled one has stood still, over all its segments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::ordering::Mode;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_history::api::start::StartRequest;
use bridge_history::job::ports::Queues;
use bridge_sim::bucket::STYLE;
use bridge_sim::scenario::draw::bucket;
use bridge_sim::scenario::{on_simulated_time, start};
use bridge_sim::world::{CALM, FaultProfile, World};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// Segments last two minutes.
const SHORT: FaultProfile = FaultProfile {
    segment: Duration::from_mins(2),
    ..CALM
};

/// A queue that takes nothing.
struct Busy;

impl Queues for Busy {
    fn open(&self, _: &str) -> Arc<dyn Queue> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Queue for Busy {
    async fn send(&self, _: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        Err(SendError {
            kind: FailureKind::Throttled,
            code: "ThrottlingException".to_owned(),
            message: String::new(),
        })
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(262_144)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Counters as they stand, and the largest value of each histogram.
fn counted(work: impl Future<Output = ()>) -> HashMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || on_simulated_time(work));
    let told = snapshots.snapshot().into_vec();
    let told = told.into_iter().map(|(key, _, _, value)| {
        let value = match value {
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => {
                values.into_iter().map(|value| *value).fold(0.0, f64::max)
            }
        };
        (key.key().name().to_owned(), value)
    });
    told.collect()
}

#[test]
fn a_job_counts_what_it_did() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(1), 3_000);
    for (delivery, rewinds) in [(Mode::Strict, false), (Mode::Batched, true)] {
        let told = counted(async {
            let profile = FaultProfile {
                faults_per_mille: 30,
                ..SHORT
            };
            let world = World::new(Arc::clone(&bucket), STYLE, profile, delivery, 1);
            let request = StartRequest {
                max_rate: Some(10),
                delivery,
                ..StartRequest::default()
            };
            start(&world, &request).await;
            assert!(world.turn(Duration::from_hours(2)).await);
        });
        let of = |name: &str| told.get(name).copied().unwrap_or_default();
        assert!(
            (of("EventsPlanned") - 3_000.0).abs() < f64::EPSILON,
            "{told:?}"
        );
        // Checkpoints that fail to be written count their events again.
        assert!(of("EventsSent") >= 3_000.0, "{told:?}");
        assert!(of("VersionsScanned") >= 3_000.0, "{told:?}");
        assert!(of("Segments") >= 3.0, "{told:?}");
        assert!(of("RequestsRetried") > 0.0, "{told:?}");
        assert_eq!(of("Rewinds") > 0.0, rewinds, "{told:?}");
        assert!(of("StalledSeconds") < 120.0, "{told:?}");
    }
}

#[test]
fn a_stalled_job_ages_from_segment_to_segment() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(2), 100);
    let told = counted(async {
        let mut world = World::new(Arc::clone(&bucket), STYLE, SHORT, Mode::Strict, 2);
        world.ports.queues = Arc::new(Busy);
        start(&world, &StartRequest::default()).await;
        assert!(!world.turn(Duration::from_mins(15)).await);
    });
    assert!(
        told["Segments"] > 5.0,
        "segments last two minutes: {told:?}"
    );
    let age = told["StalledSeconds"];
    assert!((800.0..=900.0).contains(&age), "{age}");
}

#[test]
fn a_job_that_waits_for_its_consumer_is_not_stalled() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(2), 3_000);
    let told = counted(async {
        let world = World::new(Arc::clone(&bucket), STYLE, SHORT, Mode::Strict, 2);
        let request = StartRequest {
            max_rate: Some(20),
            pause_above_depth: Some(100),
            ..StartRequest::default()
        };
        start(&world, &request).await;
        // Nobody reads the queue, so that it stands still after some hundred events.
        assert!(!world.turn(Duration::from_mins(15)).await);
    });
    assert!(told["EventsSent"] < 1_000.0, "{told:?}");
    let age = told["StalledSeconds"];
    assert!(age < 60.0, "{age}");
}
