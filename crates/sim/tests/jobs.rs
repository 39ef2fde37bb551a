//! What operators ask of jobs, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::config::ReseedConfig;
use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::list::list;
use bridge_history::api::start::StartRequest;
use bridge_history::job::phase::Phase;
use bridge_history::job::segment::SegmentEnd;
use bridge_history::job::state::StopRequest;
use bridge_sim::bucket::{Bucket, STYLE, Style};
use bridge_sim::delivered;
use bridge_sim::scenario::draw::bucket;
use bridge_sim::scenario::{config, on_simulated_time, start};
use bridge_sim::store::{INDEX_LAG, Outages};
use bridge_sim::world::{BEGIN, CALM, FaultProfile, World};

/// Pages of one entry.
const STYLE_OF_ONE: Style = Style {
    page_size: 1,
    ..STYLE
};

#[test]
fn segments_shorter_than_the_job_hand_it_on() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(1), 3_000);
    on_simulated_time(async {
        let profile = FaultProfile {
            segment: Duration::from_millis(300),
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, profile, Mode::Strict, 1);
        let slow = StartRequest {
            max_rate: Some(500),
            ..StartRequest::default()
        };
        start(&world, &slow).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let segments = world.jobs.jobs().values().next().unwrap().counts.segments;
        assert!(segments > 16, "only {segments} segments");
        delivered::check(&world, &bucket, true).unwrap();
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
        delivered::check(&world, &bucket, true).unwrap();
        // Once it is done, the same request is a new replay.
        let again = actions::start(&world.ports, &config, &request)
            .await
            .unwrap();
        assert_ne!(again.job_id, one.job_id);
    });
}

/// Two processes of one directory, each with a number of its own.
#[test]
fn a_doubled_start_is_one_job_also_in_another_process_and_no_id_comes_again() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(2), 300);
    on_simulated_time(async {
        let world = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 2);
        let request = StartRequest::default();
        let [first, second] = [1, 2].map(|salt| ReseedConfig {
            salt: Some(salt),
            ..config()
        });
        let (one, two) = tokio::join!(
            actions::start(&world.ports, &first, &request),
            actions::start(&world.ports, &first, &request),
        );
        let one = one.unwrap();
        assert_eq!(one.job_id, two.unwrap().job_id);
        tokio::time::sleep(INDEX_LAG).await;
        let found = actions::start(&world.ports, &second, &request).await;
        assert_eq!(found.unwrap().job_id, one.job_id);
        // In a directory that knows nothing of it.
        let empty = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 2);
        let other = actions::start(&empty.ports, &second, &request).await;
        let other = other.unwrap();
        assert_ne!(other.job_id, one.job_id);
        assert_eq!(other.digest, one.digest);
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
        let told = actions::request_stop(&world.ports, &job.job_id, StopRequest::Pause)
            .await
            .unwrap();
        assert_eq!(
            (told.phase, told.stop_request),
            (Phase::Sending, Some(StopRequest::Pause))
        );
        // The world's own segment was dropped with the last turn: this is also a kill.
        assert!(world.turn(Duration::from_mins(3)).await);
        assert_eq!(world.phase(), Phase::Paused);
        let sent = world.queue.arrived().messages.len();
        assert!(sent > 50 && sent < 500, "{sent} messages before the pause");
        actions::resume(&world.ports, &job.job_id, None)
            .await
            .unwrap();
        assert!(world.turn(Duration::from_mins(10)).await);
        assert_eq!(world.phase(), Phase::Done);
        delivered::check(&world, &bucket, true).unwrap();
    });
}

#[test]
fn a_stop_request_is_seen_by_the_segment_at_work_within_seconds() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(5), 600);
    for (request, phase) in [
        (StopRequest::Pause, Phase::Paused),
        (StopRequest::Cancel, Phase::Cancelled),
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
                actions::request_stop(&world.ports, &job.job_id, request)
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
        bucket.put("one key", Timestamp(second * 1000));
    }
    on_simulated_time(async {
        let profile = FaultProfile {
            segment: Duration::from_secs(1),
            ..CALM
        };
        let world = World::new(Arc::new(bucket), STYLE, profile, Mode::Strict, 9);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        let job = world.jobs.jobs().values().next().cloned().unwrap();
        assert_eq!((job.phase, job.counts.segments), (Phase::Failed, 10));
        assert!(job.last_error.unwrap().contains("ReseedTimeout"));
    });
}

#[test]
fn a_scan_that_is_stuck_in_a_later_segment_fails_too() {
    let mut bucket = Bucket::default();
    for key in 0..10 {
        bucket.put(&format!("a/{key:03}"), Timestamp(key * 1000));
    }
    for second in 0..200 {
        bucket.put("one key", Timestamp(second * 1000));
    }
    on_simulated_time(async {
        let profile = FaultProfile {
            segment: Duration::from_secs(1),
            page_takes: Duration::from_millis(300),
            ..CALM
        };
        let world = World::new(Arc::new(bucket), STYLE, profile, Mode::Strict, 14);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(1)).await, "it never ends");
        let job = world.jobs.jobs().values().next().cloned().unwrap();
        assert_eq!(job.counts.listed, 10, "the first segment lists these");
        assert_eq!((job.phase, job.counts.segments), (Phase::Failed, 11));
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
fn a_rate_holds_over_segments_and_for_packed_messages() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(1), 600);
    for (rate, records, seconds) in [(10, 1, 600), (10, 50, 600), (10, 50, 9), (1, 100, 100)] {
        on_simulated_time(async {
            let profile = FaultProfile {
                segment: Duration::from_secs(seconds),
                ..CALM
            };
            let mut world = World::new(Arc::clone(&bucket), STYLE, profile, Mode::Strict, 1);
            world.settings.send.window = 20_000;
            let request = StartRequest {
                max_rate: Some(rate),
                format: Some(Format::S3),
                records_per_message: Some(records),
                ..StartRequest::default()
            };
            start(&world, &request).await;
            assert!(world.turn(Duration::from_hours(5)).await);
            let case = format!("{rate}/s, {records} a message, {seconds} s a segment");
            let arrived = world.queue.arrived();
            let messages = &arrived.messages;
            let of_second = messages.iter().enumerate().map(|(first, (begin, _))| {
                let second = messages[first..]
                    .iter()
                    .take_while(|(at, _)| at.0 < begin.0 + 1000);
                second.map(|(_, message)| message.events as u64).sum()
            });
            let most: u64 = of_second.max().unwrap();
            // What is due at both ends of a second.
            assert!(most <= 2 * rate, "{case}: {most} events in one second");
            let took = messages.last().unwrap().0.0 - BEGIN.0;
            let due = i64::try_from(600_000 / rate).unwrap();
            assert!((due - 50..due * 5 / 4).contains(&took), "{case}: {took} ms");
            drop(arrived);
            delivered::check(&world, &bucket, false).unwrap();
        });
    }
}

#[test]
fn there_is_a_bound_on_jobs_at_work() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(13), 10);
    on_simulated_time(async {
        let world = World::new(bucket, STYLE, CALM, Mode::Strict, 13);
        let of_prefix = |number: usize| StartRequest {
            prefix: Some(format!("{number}/")),
            ..StartRequest::default()
        };
        for number in 0..100 {
            start(&world, &of_prefix(number)).await;
        }
        tokio::time::sleep(INDEX_LAG).await;
        let again = actions::start(&world.ports, &config(), &of_prefix(7)).await;
        assert!(again.is_ok(), "it is at work already");
        let refused = actions::start(&world.ports, &config(), &of_prefix(100)).await;
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("100 jobs are at work"), "{told}");
        assert!(world.turn(Duration::from_hours(1)).await);
        start(&world, &of_prefix(100)).await;
    });
}

#[test]
fn an_item_that_is_no_job_hides_no_job() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(11), 300);
    on_simulated_time(async {
        let profile = FaultProfile {
            unreadable_job: true,
            lost_of_ten: 7, // the sweep does most
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, profile, Mode::Strict, 11);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(1)).await);
        assert_eq!(world.phase(), Phase::Done);
        let listed = list(&world.ports, None, 10).await.unwrap();
        assert_eq!((listed.jobs.len(), listed.unreadable.len()), (1, 1));
        let told = listed.unreadable[0].to_string();
        assert!(told.contains("of-another-time"), "{told}");
    });
}

#[test]
fn a_scan_that_gets_further_in_every_segment_does_not_fail() {
    let mut bucket = Bucket::default();
    for key in 0..600 {
        bucket.put(&format!("k/{key:03}"), Timestamp(1_714_564_800_000 + key));
    }
    let bucket = Arc::new(bucket);
    on_simulated_time(async {
        let profile = FaultProfile {
            page_takes: Duration::from_secs(10),
            plan_outages: Some(Outages {
                every: Duration::from_secs(100),
                length: Duration::from_secs(20),
            }),
            ..CALM
        };
        let mut world = World::new(Arc::clone(&bucket), STYLE_OF_ONE, profile, Mode::Strict, 12);
        world.settings.scan.commit_every = Duration::from_secs(10);
        world.settings.retry_timeout = Duration::from_secs(5);
        start(&world, &StartRequest::default()).await;
        assert!(world.turn(Duration::from_hours(5)).await);
        let ends = world.ends.lock().unwrap().clone();
        let faults = ends
            .iter()
            .filter(|end| matches!(end, SegmentEnd::RetryLater(_)));
        assert!(faults.count() > 10, "{ends:?}");
        assert_eq!(world.phase(), Phase::Done);
        delivered::check(&world, &bucket, false).unwrap();
    });
}

#[test]
fn one_group_for_the_bucket_keeps_one_total_order() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(8), 200);
    on_simulated_time(async {
        let profile = FaultProfile {
            faults_per_mille: 40,
            ..CALM
        };
        let world = World::new(Arc::clone(&bucket), STYLE, profile, Mode::Strict, 8);
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
        delivered::check(&world, &bucket, false).unwrap();
    });
}
