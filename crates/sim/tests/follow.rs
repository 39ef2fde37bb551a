//! History, then live (docs/OPERATIONS.md), under faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::live::stream::StreamStore as _;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::job::handover::Then;
use bridge_history::job::invocation::Invocation;
use bridge_history::job::live::{BucketClock, LivePortError, LivePorts, Mapping, Switched};
use bridge_history::job::phase::Phase;
use bridge_history::job::segment::{self, SegmentEnd};
use bridge_history::job::state::StopRequest;
use bridge_history::send::target::Target;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::faults::Faults;
use bridge_sim::follow::FollowScenario;
use bridge_sim::scenario::{config, on_simulated_time};
use bridge_sim::seeds;
use bridge_sim::store::CutOff;
use bridge_sim::stream::SimStream;
use bridge_sim::world::{BEGIN, CALM, World};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

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

/// A mapping that somebody reaches from some moment on.
struct Reached {
    is_on: Arc<AtomicBool>,
    from: Instant,
}

#[async_trait]
impl Mapping for Reached {
    async fn switch(&self, on: bool) -> Result<Switched, LivePortError> {
        if Instant::now() < self.from {
            return Err(LivePortError {
                reason: "not reached".to_owned(),
                kind: FailureKind::Transient,
            });
        }
        self.is_on.store(on, Ordering::SeqCst);
        Ok(Switched::Done)
    }
}

/// A segment is cut off while it disables the mapping. The job is cancelled meanwhile, by another segment.
#[test]
fn a_segment_that_comes_late_does_not_leave_the_mapping_disabled() {
    on_simulated_time(async {
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        let mut world = stack(&stream, true);
        let (is_on, begin) = (Arc::new(AtomicBool::new(true)), Instant::now());
        let back = begin + Duration::from_mins(4);
        let reached_from = |from: Instant| {
            let mapping: Arc<dyn Mapping> = Arc::new(Reached {
                is_on: Arc::clone(&is_on),
                from,
            });
            Some(mapping)
        };
        world.ports.live.as_mut().unwrap().mapping = reached_from(begin);
        let mut cut_off = world.ports.clone();
        cut_off.live.as_mut().unwrap().mapping = reached_from(back);
        cut_off.jobs = Arc::new(CutOff {
            jobs: Arc::clone(&world.jobs),
            from: begin + Duration::from_secs(1),
            until: back,
            wait: Duration::from_secs(1),
        });
        let started = actions::start(&world.ports, &config(), &then_live()).await;
        let job_id = started.unwrap().job_id;
        let invocation = |owner| Invocation {
            job_id: &job_id,
            expected_epoch: None,
            owner,
            budget: Duration::from_mins(10),
            stop: CancellationToken::new(),
        };
        let late = segment::run(&cut_off, &world.settings, invocation("late"));
        let other = async {
            sleep(Duration::from_mins(2)).await;
            let cancel = StopRequest::Cancel;
            let asked = actions::request_stop(&world.ports, &job_id, cancel).await;
            asked.unwrap();
            segment::run(&world.ports, &world.settings, invocation("other")).await
        };
        let (late, other) = tokio::join!(late, other);
        assert_eq!(other.unwrap(), SegmentEnd::Ended(Phase::Cancelled));
        assert_eq!(late.unwrap(), SegmentEnd::Fenced);
        assert!(is_on.load(Ordering::SeqCst), "live does not go on");
    });
}

/// A job that began to send just before the hold stood, and was not seen by the other one's start.
#[test]
fn a_job_that_sends_to_the_same_queue_ends_the_one_that_holds() {
    on_simulated_time(async {
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        let (world, elsewhere) = (stack(&stream, true), stack(&stream, true));
        let plain = StartRequest::default();
        let other = actions::start(&elsewhere.ports, &config(), &plain).await;
        let other = other.unwrap().job_id;
        let started = actions::start(&world.ports, &config(), &then_live()).await;
        let job_id = started.unwrap().job_id;
        let unseen = elsewhere.ports.jobs.load(&other).await.unwrap().unwrap();
        world.ports.jobs.create(&unseen).await.unwrap();
        let invocation = Invocation {
            job_id: &job_id,
            expected_epoch: None,
            owner: "first",
            budget: Duration::from_mins(10),
            stop: CancellationToken::new(),
        };
        let ended = segment::run(&world.ports, &world.settings, invocation).await;
        assert_eq!(ended.unwrap(), SegmentEnd::Ended(Phase::Failed));
        let job = world.ports.jobs.load(&job_id).await.unwrap().unwrap();
        let error = job.last_error.unwrap();
        assert!(error.contains(other.as_str()), "{error}");
    });
}

/// A job that never held anything is cancelled while another one holds.
#[test]
fn a_job_that_ends_does_not_enable_the_mapping_for_another_that_holds() {
    on_simulated_time(async {
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        let mut world = stack(&stream, true);
        let is_on = Arc::new(AtomicBool::new(false));
        world.ports.live.as_mut().unwrap().mapping = Some(Arc::new(Reached {
            is_on: Arc::clone(&is_on),
            from: Instant::now(),
        }));
        let started = actions::start(&world.ports, &config(), &then_live()).await;
        let job_id = started.unwrap().job_id;
        stream.hold("another", BEGIN).await.unwrap();
        let invocation = |owner| Invocation {
            job_id: &job_id,
            expected_epoch: None,
            owner,
            budget: Duration::from_mins(10),
            stop: CancellationToken::new(),
        };
        let failed = segment::run(&world.ports, &world.settings, invocation("first")).await;
        assert_eq!(failed.unwrap(), SegmentEnd::Ended(Phase::Failed));
        let cancel = StopRequest::Cancel;
        let asked = actions::request_stop(&world.ports, &job_id, cancel).await;
        asked.unwrap();
        let ended = segment::run(&world.ports, &world.settings, invocation("second")).await;
        drop(ended);
        assert!(!is_on.load(Ordering::SeqCst), "live comes between");
        assert!(stream.read().await.unwrap().hold.is_some());
    });
}
