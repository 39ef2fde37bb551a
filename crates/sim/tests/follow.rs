//! History, then live (docs/OPERATIONS.md), under faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock as _;
use bridge_core::event::{Change, Event, Source};
use bridge_core::failure::FailureKind;
use bridge_core::listing::page::parse_page;
use bridge_core::listing::rank::rank;
use bridge_core::live::hold::look;
use bridge_core::live::stream::{HistoryEnd, LiveOrder, StreamStore as _};
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::handover::Then;
use bridge_history::job::invocation::Invocation;
use bridge_history::job::live::{BucketClock, LivePortError, LivePorts, Mapping, Switched};
use bridge_history::job::phase::Phase;
use bridge_history::job::segment::{self, SegmentEnd};
use bridge_history::job::state::StopRequest;
use bridge_history::scan::filter::Filter;
use bridge_history::send::target::Target;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::faults::Faults;
use bridge_sim::follow::FollowScenario;
use bridge_sim::scenario::{config, on_simulated_time};
use bridge_sim::seeds;
use bridge_sim::store::CutOff;
use bridge_sim::stream::SimStream;
use bridge_sim::world::{BEGIN, CALM, SimClock, World};
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

/// A segment of ten minutes.
fn invocation<'a>(job_id: &'a JobId, owner: &'a str) -> Invocation<'a> {
    Invocation {
        job_id,
        expected_epoch: None,
        owner,
        budget: Duration::from_mins(10),
        stop: CancellationToken::new(),
    }
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
        let invocation = |owner| invocation(&job_id, owner);
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
        let first = invocation(&job_id, "first");
        let ended = segment::run(&world.ports, &world.settings, first).await;
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
        let invocation = |owner| invocation(&job_id, owner);
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

/// A stack is deployed with `exact` while its queue gets the history that it was asked for with `newest`. No
/// invocation comes in between; the first one that may send comes when the history is out.
#[test]
fn exact_that_was_deployed_before_the_history_begins_where_that_ended() {
    on_simulated_time(async {
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        let clock = SimClock::default();
        let mut random = fastrand::Rng::with_seed(1);
        let mut looked = async |order| {
            let budget = Duration::from_secs(10);
            look(&stream, order, &clock, budget, &mut random).await
        };
        looked(LiveOrder::Newest).await.unwrap();
        stream.hold("job", clock.now()).await.unwrap();
        let until = BEGIN + Duration::from_mins(1);
        sleep(Duration::from_hours(10)).await;
        let end = HistoryEnd {
            until,
            dated_back: None,
        };
        stream.release("job", Some(end)).await.unwrap();
        let first = looked(LiveOrder::Exact).await.unwrap();
        assert_eq!(first.boundary, Some(until));
    });
}

/// A history that took long makes a second pass, from where the first ended. An upload in parts that began before that
/// and ended behind the first scan is dated before the second pass. The same with a lifecycle rule's marker,
/// dated midnight.
#[test]
fn an_upload_that_ends_between_two_passes_is_in_the_second_or_behind_it() {
    on_simulated_time(async {
        let (first, second) = (BEGIN, BEGIN + Duration::from_hours(13 * 24));
        let mut bucket = Bucket::default();
        let began = Timestamp(first.0 - 10_000);
        let upload = bucket.end_upload("k", began).clone();
        bucket.put("k", first + Duration::from_hours(2));
        let document = bucket.page("", None, STYLE);
        let mut listings = [parse_page(document.as_bytes()).unwrap().listing];
        rank(&mut listings[0]);
        let filter = Filter {
            from: Some(first),
            until: Some(second),
            ..Filter::default()
        };
        filter.choose(&mut listings);
        let listed: Vec<_> = listings[0].iter().map(|row| row.version.e_tag).collect();
        assert_eq!(listed.len(), 1, "the second pass has the other one");
        let stream = SimStream::new(Arc::new(Faults::new(1, 0)));
        stream.hold("job", first).await.unwrap();
        let end = HistoryEnd {
            until: second,
            dated_back: Some(first),
        };
        stream.release("job", Some(end)).await.unwrap();
        let came = |name: &str, hours: i64| {
            let (what, at) = (
                (Change::Created, name),
                Timestamp(first.0 + hours * 3_600_000),
            );
            Event::new(
                Source::Realtime,
                "ledger",
                "k",
                &upload.version_id,
                what,
                at,
            )
        };
        for (name, hours, is_covered) in [
            ("ObjectCreated:CompleteMultipartUpload", 1, false),
            ("LifecycleExpiration:DeleteMarkerCreated", 1, false),
            ("ObjectCreated:CompleteMultipartUpload", -1, true), // the first pass had it
            ("ObjectCreated:Put", 1, true),
        ] {
            let covers = stream.now().covers(&came(name, hours));
            assert_eq!(covers, is_covered, "{name} after {hours} h");
        }
    });
}
