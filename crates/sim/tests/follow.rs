//! History, then live (docs/OPERATIONS.md), under faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::live::stream::StreamStore as _;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::job::handover::Then;
use bridge_history::job::live::{BucketClock, LivePortError, LivePorts};
use bridge_history::job::state::StopRequest;
use bridge_history::send::target::Target;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::faults::Faults;
use bridge_sim::follow::FollowScenario;
use bridge_sim::scenario::{config, on_simulated_time};
use bridge_sim::seeds;
use bridge_sim::stream::SimStream;
use bridge_sim::world::{BEGIN, CALM, World};

/// Seeds of the test command ([`seeds::run`] says how to run others).
const SEEDS: u64 = 500;

#[test]
fn a_queue_gets_the_history_and_then_what_happens() {
    seeds::run(SEEDS, |seed| FollowScenario::of_seed(seed).run());
}

/// A bucket whose clock stands still.
struct Still;

#[async_trait]
impl BucketClock for Still {
    async fn now(&self) -> Result<Timestamp, LivePortError> {
        Ok(BEGIN)
    }
}

/// A stack with a live table and, if asked for, a buffer.
fn stack(stream: &SimStream, has_buffer: bool) -> World {
    let mut world = World::new(Arc::new(Bucket::default()), STYLE, CALM, Mode::Strict, 1);
    world.ports.live = Some(LivePorts {
        stream: Arc::new(stream.clone()),
        queue: Target::parse(&config().common.queue_url),
        mapping: None,
        buffer_url: has_buffer.then(|| "https://sqs.x/1/buffer".to_owned()),
        bucket_clock: Arc::new(Still),
        on_its_way: Duration::from_secs(90),
        retention: Duration::from_hours(14 * 24),
    });
    world
}

fn then_live() -> StartRequest {
    StartRequest {
        then: Some(Then::Live),
        ..StartRequest::default()
    }
}

#[test]
fn what_cannot_be_followed_or_would_come_between_is_refused_with_the_reason() {
    on_simulated_time(async {
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        let refused = async |world: &World, request: &StartRequest| {
            let started = actions::start(&world.ports, &config(), request).await;
            started.unwrap_err().to_string()
        };
        let mut without = stack(&stream, true);
        without.ports.live = None;
        let told = refused(&without, &then_live()).await;
        assert!(
            told.contains("then") && told.contains("LiveOrder"),
            "{told}"
        );
        let told = refused(&stack(&stream, false), &then_live()).await;
        assert!(told.contains("Ingestion buffered"), "{told}");

        // Another job at work on the queue, and then one that holds it.
        let world = stack(&stream, true);
        let (ports, plain) = (&world.ports, StartRequest::default());
        let other = actions::start(ports, &config(), &plain).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = refused(&world, &then_live()).await;
        assert!(told.contains(other.job_id.as_str()), "{told}");
        let paused = actions::request_stop(ports, &other.job_id, StopRequest::Pause).await;
        paused.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let job = actions::start(ports, &config(), &then_live()).await;
        let job = job.unwrap().job_id;
        stream.hold(job.as_str(), BEGIN).await.unwrap();
        let again = actions::start(ports, &config(), &then_live()).await;
        assert_eq!(again.unwrap().job_id, job, "a doubled start is one job");
        let told = refused(&world, &plain).await;
        assert!(told.contains(job.as_str()), "{told}");
        let resumed = actions::resume(ports, &other.job_id, None).await;
        let told = resumed.unwrap_err().to_string();
        assert!(told.contains(job.as_str()), "{told}");

        // Elsewhere, or without sending, others may.
        let dry = StartRequest {
            dry_run: true,
            ..StartRequest::default()
        };
        let elsewhere = StartRequest {
            queue_url: Some("https://sqs.x/1/other.fifo".to_owned()),
            ..StartRequest::default()
        };
        for request in [dry, elsewhere] {
            actions::start(ports, &config(), &request).await.unwrap();
        }
    });
}
