use bridge_core::format::Format;
use bridge_core::queue::ordering::{Mode, Order};

use super::*;
use crate::job::error::JobError;
use crate::scan::filter::Filter;
use crate::send::parking::OnUndeliverable;

const LEASE: Duration = Duration::from_mins(1);
const BEGIN: Timestamp = Timestamp(1_714_564_800_000);

/// A job that has not begun.
pub(in crate::job) fn job() -> Job {
    let options = Options {
        filter: Filter::default(),
        order: Order::Key,
        format: Format::Bridge,
        delivery: Mode::Strict,
        records_per_message: 1,
        target: crate::send::target::Target::Queue(
            "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned(),
        ),
        max_rate: None,
        pause_above_depth: None,
        dry_run: false,
        refuse_ambiguous: false,
        on_undeliverable: OnUndeliverable::Stop,
        then: None,
        plan: None,
    };
    Job::new(
        "j-1".parse().unwrap(),
        "ledger",
        options,
        "d".to_owned(),
        BEGIN,
    )
}

/// A job that a segment has just taken.
pub(in crate::job) fn leased() -> Job {
    taken(&job(), BEGIN)
}

fn taken(job: &Job, now: Timestamp) -> Job {
    job.take_over("a", Some(job.epoch), now, LEASE, Seen::Unchanged)
        .unwrap()
}

#[test]
fn one_segment_at_a_time_and_each_has_an_epoch_of_its_own() {
    let first = taken(&job(), BEGIN);
    assert_eq!(
        (first.epoch, first.revision, first.counts.segments),
        (Epoch(1), 1, 1)
    );
    // Whatever the clock says, a lease is held until it was watched.
    let lapsed = BEGIN + LEASE * 60;
    for now in [BEGIN, lapsed] {
        let held = first.take_over("b", None, now, LEASE, Seen::Once);
        assert!(
            matches!(held, Err(AcquireError::LeaseHeld { .. })),
            "{held:?}"
        );
    }
    let late = first.take_over("b", Some(Epoch(0)), lapsed, LEASE, Seen::Unchanged);
    let expected = AcquireError::OtherEpoch {
        found: Epoch(1),
        expected: Epoch(0),
    };
    assert_eq!(late, Err(expected));
    assert_eq!(taken(&first, lapsed).epoch, Epoch(2));
}

#[test]
fn a_stop_request_waits_for_the_segment_at_work_and_is_carried_out_where_none_is() {
    let at_work = taken(&job(), BEGIN);
    let told = at_work.stop_requested(StopRequest::Pause, BEGIN).unwrap();
    assert_eq!(
        (told.phase, told.stop_request),
        (Phase::Scanning, Some(StopRequest::Pause))
    );
    assert_eq!(told.epoch, at_work.epoch, "the segment may still write");

    let idle = job().stop_requested(StopRequest::Pause, BEGIN).unwrap();
    assert_eq!(
        (idle.phase, idle.stop_request, idle.epoch),
        (Phase::Paused, None, Epoch(1))
    );
    let cancelled = idle.stop_requested(StopRequest::Cancel, BEGIN).unwrap();
    assert_eq!(cancelled.phase, Phase::Cancelled);
    let expires = cancelled.expires_at.unwrap();
    assert_eq!(expires, (BEGIN + RETENTION).0 / 1000);

    for (ended, request) in [
        (Phase::Done, StopRequest::Pause),
        (Phase::Done, StopRequest::Cancel),
        (Phase::Cancelled, StopRequest::Pause),
    ] {
        let mut job = job();
        job.end_as(ended, BEGIN);
        let error = job.stop_requested(request, BEGIN).unwrap_err();
        assert!(matches!(error, JobError::WrongPhase { .. }), "{error}");
    }
}

#[test]
fn a_cancel_is_not_undone_and_not_repeated() {
    let at_work = taken(&job(), BEGIN);
    let told = at_work.stop_requested(StopRequest::Cancel, BEGIN).unwrap();
    assert_eq!(
        told.stop_requested(StopRequest::Cancel, BEGIN + Duration::from_millis(1))
            .unwrap(),
        told
    );
    for refused in [
        told.stop_requested(StopRequest::Pause, BEGIN + Duration::from_millis(1)),
        told.resumed(None, BEGIN + Duration::from_millis(1)),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("j-1 is about to be cancelled"), "{error}");
    }
    let paused = at_work.stop_requested(StopRequest::Pause, BEGIN).unwrap();
    let instead = paused
        .stop_requested(StopRequest::Cancel, BEGIN + Duration::from_millis(1))
        .unwrap();
    assert_eq!(
        instead.stop_request,
        Some(StopRequest::Cancel),
        "a cancel is more than a pause"
    );

    let ended = job().stop_requested(StopRequest::Cancel, BEGIN).unwrap();
    let again = ended
        .stop_requested(StopRequest::Cancel, BEGIN + Duration::from_mins(1))
        .unwrap();
    assert_eq!(again.finished_at, Some(BEGIN));
}

#[test]
fn segments_that_die_in_a_row_end_a_job_and_what_they_achieved_counts() {
    let mut job = taken(&job(), BEGIN);
    for death in 1..MAX_FAILURES {
        assert_eq!(job.phase, Phase::Scanning, "before death {death}");
        job = taken(&job, BEGIN);
    }
    // The last one got further before it died.
    let mut further = job.next(BEGIN);
    further.counts.listed += 1;
    further.note_progress(&job, BEGIN);
    assert_eq!(taken(&further, BEGIN).counts.failures, 1);
    let ended = taken(&job, BEGIN);
    assert_eq!((ended.phase, ended.lease), (Phase::Failed, None));
    assert_eq!(ended.counts.segments, u64::from(MAX_FAILURES));
    let told = ended.last_error.unwrap();
    for part in ["ten segments", "out of memory", "ReseedMemory", "log"] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}

#[test]
fn faults_in_a_row_end_a_job_and_a_resume_forgives_them() {
    let mut job = job();
    for attempt in 1..=MAX_FAILURES {
        assert_eq!(job.phase, Phase::Scanning, "before fault {attempt}");
        job.release_after_fault("no network".to_owned(), BEGIN);
    }
    assert_eq!(job.phase, Phase::Failed);
    assert_eq!(job.expires_at, None, "it waits for somebody to decide");
    let days_later = BEGIN + Duration::from_hours(3 * 24);
    let again = job.resumed(None, days_later).unwrap();
    assert_eq!((again.phase, again.counts.failures), (Phase::Scanning, 0));
    assert_eq!(again.last_error, None);
    assert_eq!(
        again.epoch,
        job.epoch.next(),
        "a late continuation finds another epoch"
    );
    assert_eq!(
        again.stalled(days_later),
        Duration::ZERO,
        "the days it rested do not count"
    );
    let error = again.resumed(None, days_later).unwrap_err();
    assert!(matches!(error, JobError::WrongPhase { .. }), "{error}");
}

#[test]
fn progress_is_a_later_checkpoint_more_versions_or_another_phase() {
    let later = BEGIN + Duration::from_secs(5);
    let stalled_of = |job: &Job, change: fn(&mut Job)| {
        let mut next = job.next(later);
        change(&mut next);
        next.note_progress(job, later);
        next.stalled(later).as_millis()
    };
    let scanning = job();
    let stalled = |change| stalled_of(&scanning, change);
    assert_eq!(stalled(|_| {}), 5_000);
    assert_eq!(
        stalled(|job| job.counts.segments += 1),
        5_000,
        "a segment alone is none"
    );
    assert_eq!(stalled(|job| job.checkpoint.sequence = 1), 0);
    assert_eq!(stalled(|job| job.counts.listed = 1), 0);
    assert_eq!(stalled(|job| job.phase = Phase::Sending), 0);
    let merged = |job: &mut Job| job.manifest = Some("merged".to_owned());
    assert_eq!(stalled(merged), 5_000, "versions tell how far a scan is");
    let mut sending = job();
    sending.phase = Phase::Sending;
    assert_eq!(stalled_of(&sending, merged), 0, "a pass over the plan");
}

#[test]
fn a_resume_may_change_what_becomes_of_undeliverable_events() {
    let mut failed = taken(&job(), BEGIN);
    failed.end_as(Phase::Failed, BEGIN);
    let way = |asked| {
        let resumed = failed.resumed(asked, BEGIN).unwrap();
        resumed.options.on_undeliverable
    };
    assert_eq!(way(None), OnUndeliverable::Stop);
    assert_eq!(way(Some(OnUndeliverable::Park)), OnUndeliverable::Park);
}
