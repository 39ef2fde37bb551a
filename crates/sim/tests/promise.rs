//! Contracts 3 and 4 under faults: every planned event arrives, in order, once, whatever fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::config::{Config, ReseedConfig};
use bridge_core::event::Event;
use bridge_core::job::actions;
use bridge_core::job::request::StartRequest;
use bridge_core::job::state::Wish;
use bridge_core::job::{Job, Phase};
use bridge_core::time::Millis;
use bridge_sim::bucket::{Bucket, Style};
use bridge_sim::world::{Weather, World};

/// Seeds of the storm test; `BRIDGE_SEEDS=100000` runs more, `BRIDGE_SEED=42` one.
const SEEDS: u64 = 400;

const CALM: Weather = Weather {
    faults_per_mille: 0,
    killed_of_ten: 0,
    lost_of_ten: 0,
    doubled_of_ten: 0,
    segment: Duration::from_mins(10),
};

const STYLE: Style = Style {
    page_size: 25,
    url_encoded: true,
    markers_apart: false,
};

fn config() -> ReseedConfig {
    ReseedConfig {
        common: Config::read(&|name| {
            (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
        })
        .unwrap(),
        bucket: "ledger".to_owned(),
        table: "jobs".to_owned(),
        plan_bucket: "plans".to_owned(),
    }
}

fn bucket(random: &mut fastrand::Rng, versions: u64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    let mut seconds = 1_714_564_800;
    let keys = random.u64(1..60);
    for _ in 0..versions {
        seconds += random.i64(0..3);
        let key = format!("k/{:02}", random.u64(0..keys));
        if random.u8(0..5) == 0 {
            bucket.delete(&key, Millis(seconds * 1000));
        } else {
            bucket.put(&key, Millis(seconds * 1000));
        }
    }
    Arc::new(bucket)
}

/// Starts a job, again if the simulated store fails.
async fn start(world: &World, request: &StartRequest) -> Job {
    loop {
        if let Ok(job) = actions::start(&world.ports, &config(), request).await {
            return job;
        }
    }
}

/// Checks what arrived against the history itself. `strictly_once`: no event came twice. Without
/// it, an event may come again (a resume later than SQS remembers deduplication ids), but what
/// comes first comes in order.
fn check(world: &World, bucket: &Bucket, strictly_once: bool, case: &str) {
    let arrived = world.queue.arrived();
    assert_eq!(arrived.violations, Vec::<String>::new(), "{case}");
    let mut last_of_key: HashMap<String, u64> = HashMap::new();
    let mut by_sequence: HashMap<u64, Event> = HashMap::new();
    for message in &arrived.messages {
        let event: Event = serde_json::from_str(&message.body).unwrap();
        let sequence = event.sequence.unwrap();
        if let Some(earlier) = by_sequence.get(&sequence) {
            assert!(!strictly_once, "{case}: sequence {sequence} came twice");
            assert_eq!(*earlier, event, "{case}: one sequence, two events");
            continue;
        }
        let last = last_of_key.insert(event.key.clone(), sequence).unwrap_or(0);
        assert!(
            sequence > last,
            "{case}: {} got {sequence} after {last}",
            event.key
        );
        by_sequence.insert(sequence, event);
    }
    let history = bucket.history();
    assert_eq!(by_sequence.len(), history.len(), "{case}: events delivered");
    for (sequence, (position, version)) in (1..).zip(&history) {
        let event = &by_sequence[&sequence];
        assert_eq!(
            (&event.key, &event.version_id),
            (&position.key, &version.version_id),
            "{case}"
        );
        assert_eq!(
            event.event_name.starts_with("ObjectRemoved"),
            version.is_delete_marker
        );
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn storm(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let weather = Weather {
        faults_per_mille: random.u32(0..80),
        killed_of_ten: random.u64(0..7),
        lost_of_ten: random.u64(0..4),
        doubled_of_ten: random.u64(0..5),
        segment: Duration::from_millis(random.u64(1_500..40_000)),
    };
    let versions = random.u64(1..700);
    let bucket = bucket(&mut random, versions);
    let case = format!("BRIDGE_SEED={seed} {weather:?} {versions} versions");
    block_on(async {
        let world = World::new(Arc::clone(&bucket), STYLE, weather, seed);
        start(&world, &StartRequest::default()).await;
        let begin = tokio::time::Instant::now();
        let rested = world.turn(Duration::from_hours(24)).await;
        let job = world.jobs.jobs().values().next().cloned().unwrap();
        assert!(rested, "{case}: the job never ended: {job:?}");
        assert_eq!(job.phase, Phase::Done, "{case}: {:?}", job.last_error);
        assert_eq!(job.checkpoint.sequence, bucket.len() as u64, "{case}");
        // Within the five minutes in which SQS drops repetitions, even kills repeat nothing.
        let strictly_once = begin.elapsed() < Duration::from_mins(5);
        check(&world, &bucket, strictly_once, &case);
    });
}

#[test]
fn whatever_fails_every_event_arrives_once_and_in_order() {
    if let Ok(seed) = std::env::var("BRIDGE_SEED") {
        return storm(seed.parse().unwrap());
    }
    let seeds = std::env::var("BRIDGE_SEEDS").map_or(SEEDS, |n| n.parse().unwrap());
    for seed in 0..seeds {
        storm(seed);
    }
}

#[test]
fn segments_shorter_than_the_job_hand_it_on() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(1), 3_000);
    block_on(async {
        let weather = Weather {
            segment: Duration::from_millis(300),
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, weather, 1);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let segments = world.jobs.jobs().values().next().unwrap().counts.segments;
        assert!(segments > 16, "only {segments} segments");
        check(&world, &bucket, true, "handed on");
    });
}

#[test]
fn a_doubled_start_is_one_job_and_another_request_is_another() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(2), 300);
    block_on(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, 2);
        let request = StartRequest::default();
        let config = config();
        let (one, two) = tokio::join!(
            actions::start(&world.ports, &config, &request),
            actions::start(&world.ports, &config, &request),
        );
        let one = one.unwrap();
        assert_eq!(one.job_id, two.unwrap().job_id);
        let third = actions::start(&world.ports, &config, &request)
            .await
            .unwrap();
        assert_eq!(third.job_id, one.job_id);
        let dry = StartRequest {
            dry_run: true,
            ..StartRequest::default()
        };
        let dry = actions::start(&world.ports, &config, &dry).await.unwrap();
        assert_ne!(dry.job_id, one.job_id);
        assert!(world.turn(Duration::from_hours(1)).await);
        check(&world, &bucket, true, "doubled start");
        // Once it is done, the same request is a new replay.
        let again = actions::start(&world.ports, &config, &request)
            .await
            .unwrap();
        assert_ne!(again.job_id, one.job_id);
    });
}

#[test]
fn a_dry_run_plans_and_sends_nothing() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(3), 500);
    block_on(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, 3);
        let dry = StartRequest {
            dry_run: true,
            ..StartRequest::default()
        };
        start(&world, &dry).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        assert_eq!(world.phase(), Phase::Done);
        let planned = world
            .jobs
            .jobs()
            .values()
            .next()
            .unwrap()
            .planned
            .clone()
            .unwrap();
        assert_eq!(planned.events, bucket.len() as u64);
        assert_eq!(planned.created + planned.removed, planned.events);
        assert_eq!(planned.by_month.values().sum::<u64>(), planned.events);
        assert_eq!(world.queue.arrived().messages, vec![]);
    });
}

#[test]
fn a_paused_job_stops_within_seconds_and_goes_on_where_it_was() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(4), 600);
    block_on(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, 4);
        let slow = StartRequest {
            max_rate: Some(20),
            ..StartRequest::default()
        };
        let job = start(&world, &slow).await;
        assert!(!world.turn(Duration::from_secs(10)).await, "it is at work");
        let told = actions::wish(&world.ports, &job.job_id, Wish::Pause)
            .await
            .unwrap();
        assert_eq!((told.phase, told.wish), (Phase::Sending, Some(Wish::Pause)));
        // The world's own segment was dropped with the last turn: this is also a kill.
        assert!(world.turn(Duration::from_mins(3)).await);
        assert_eq!(world.phase(), Phase::Paused);
        let sent = world.queue.arrived().messages.len();
        assert!(sent > 50 && sent < 500, "{sent} messages before the pause");
        actions::resume(&world.ports, &job.job_id).await.unwrap();
        assert!(world.turn(Duration::from_mins(10)).await);
        assert_eq!(world.phase(), Phase::Done);
        check(&world, &bucket, true, "paused");
    });
}

#[test]
fn a_wish_is_seen_by_the_segment_at_work_within_seconds() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(5), 600);
    for (wish, phase) in [
        (Wish::Pause, Phase::Paused),
        (Wish::Cancel, Phase::Cancelled),
    ] {
        block_on(async {
            let world = World::new(Arc::clone(&bucket), STYLE, CALM, 5);
            let slow = StartRequest {
                max_rate: Some(10),
                ..StartRequest::default()
            };
            let job = start(&world, &slow).await;
            let operator = async {
                tokio::time::sleep(Duration::from_secs(20)).await;
                actions::wish(&world.ports, &job.job_id, wish)
                    .await
                    .unwrap();
            };
            let (rested, ()) = tokio::join!(world.turn(Duration::from_secs(26)), operator);
            assert!(rested, "not within 6 s");
            assert_eq!(world.phase(), phase);
        });
    }
}

#[test]
fn a_scan_that_cannot_advance_fails_with_the_reason_and_not_never() {
    let mut bucket = Bucket::default();
    for second in 0..20_000 {
        bucket.put("one key", Millis(second * 1000));
    }
    block_on(async {
        let weather = Weather {
            segment: Duration::from_secs(1),
            ..CALM
        };
        let world = World::new(Arc::new(bucket), STYLE, weather, 9);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let job = world.jobs.jobs().values().next().cloned().unwrap();
        assert_eq!((job.phase, job.counts.segments), (Phase::Failed, 10));
        assert!(job.last_error.unwrap().contains("ReseedTimeout"));
    });
}

#[test]
fn a_rate_is_kept() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(6), 300);
    block_on(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, 6);
        let slow = StartRequest {
            max_rate: Some(10),
            ..StartRequest::default()
        };
        start(&world, &slow).await;
        let begin = tokio::time::Instant::now();
        assert!(world.turn(Duration::from_mins(10)).await);
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_secs(29),
            "{took:?} for 300 events at 10/s"
        );
    });
}

#[test]
fn one_group_for_the_bucket_keeps_one_total_order() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(8), 200);
    block_on(async {
        let weather = Weather {
            faults_per_mille: 40,
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, weather, 8);
        let total = StartRequest {
            order: Some("bucket".to_owned()),
            ..StartRequest::default()
        };
        start(&world, &total).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let arrived = world.queue.arrived();
        assert_eq!(arrived.violations, Vec::<String>::new());
        let sequences: Vec<u64> = arrived.messages.iter().map(|m| m.number).collect();
        assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    });
}
