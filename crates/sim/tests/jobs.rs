//! What operators ask of jobs, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::delivery::Mode;
use bridge_core::job::request::StartRequest;
use bridge_core::job::state::Wish;
use bridge_core::job::{Phase, actions};
use bridge_core::time::Millis;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::storm::{bucket, config, judge, on_simulated_time, start};
use bridge_sim::world::{CALM, Weather, World};

#[test]
fn segments_shorter_than_the_job_hand_it_on() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(1), 3_000);
    on_simulated_time(async {
        let weather = Weather {
            segment: Duration::from_millis(300),
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, weather, Mode::Strict, 1);
        let slow = StartRequest {
            max_rate: Some(500),
            ..StartRequest::default()
        };
        start(&world, &slow).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let segments = world.jobs.jobs().values().next().unwrap().counts.segments;
        assert!(segments > 16, "only {segments} segments");
        judge(&world, &bucket, true).unwrap();
    });
}

#[test]
fn a_doubled_start_is_one_job_and_another_request_is_another() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(2), 300);
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 2);
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
        judge(&world, &bucket, true).unwrap();
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
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 3);
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
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 4);
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
        judge(&world, &bucket, true).unwrap();
    });
}

#[test]
fn a_wish_is_seen_by_the_segment_at_work_within_seconds() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(5), 600);
    for (wish, phase) in [
        (Wish::Pause, Phase::Paused),
        (Wish::Cancel, Phase::Cancelled),
    ] {
        on_simulated_time(async {
            let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 5);
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
    on_simulated_time(async {
        let weather = Weather {
            segment: Duration::from_secs(1),
            ..CALM
        };
        let world = World::new(Arc::new(bucket), STYLE, weather, Mode::Strict, 9);
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
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 6);
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
    on_simulated_time(async {
        let weather = Weather {
            faults_per_mille: 40,
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, weather, Mode::Strict, 8);
        let total = StartRequest {
            order: Some("bucket".to_owned()),
            ..StartRequest::default()
        };
        start(&world, &total).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let arrived = world.queue.arrived();
        assert_eq!(arrived.violations, Vec::<String>::new());
        let sequences: Vec<u64> = arrived.messages.iter().map(|(_, m)| m.number).collect();
        assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    });
}

#[test]
fn a_deep_queue_makes_a_job_wait_for_its_consumer() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(10), 600);
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 10);
        let careful = StartRequest {
            max_rate: Some(20),
            pause_above_depth: Some(100),
            ..StartRequest::default()
        };
        start(&world, &careful).await;
        let mut rounds = 0;
        while !world.turn(Duration::from_mins(4)).await {
            let mut arrived = world.queue.arrived();
            let depth = arrived.messages.len() - arrived.consumed;
            // It looks every five seconds, in which a hundred events may go.
            assert!((101..=230).contains(&depth), "{depth} messages wait");
            arrived.consumed = arrived.messages.len();
            rounds += 1;
        }
        assert!(rounds > 1, "it never waited");
        assert_eq!(world.phase(), Phase::Done);
        judge(&world, &bucket, false).unwrap();
    });
}
