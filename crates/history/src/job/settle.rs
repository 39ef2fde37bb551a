//! What is to become of a job when a segment of it ends. No I/O: it is decided here once, and what the
//! segment does next is read from the job.

use bridge_core::timestamp::Timestamp;

use crate::job::phase::Phase;
use crate::job::segment_error::SegmentError;
use crate::job::state::{Job, StopRequest};

/// Why a scan that was never interrupted may still not advance.
const STUCK: &str = "a whole segment was too short to list all versions of any key: \
    raise ReseedTimeout, or look whether S3 throttles";

/// Changes `job` as the work of a segment came out: `Ok(true)` when nothing is left to do.
/// `listed_before` is how many versions were in runs when the segment began, if it began to scan then.
///
/// - it ended (done, failed, or stopped as the operator asked): the job is not active;
/// - its time is up: it is active without lease and error, for the next segment;
/// - it met a fault that may pass: it is active without lease, its error kept, for the sweep;
/// - another segment has it: it is unchanged, its lease too.
pub(super) fn settle(
    job: &mut Job,
    worked: &Result<bool, SegmentError>,
    listed_before: Option<u64>,
    now: Timestamp,
) {
    // It would continue for ever at full cost.
    let is_stuck = job.phase == Phase::Scanning && Some(job.counts.listed) == listed_before;
    // A cancelled job lets live go on before it ends.
    let is_to_let_go = job.stop_request == Some(StopRequest::Cancel) && job.may_hold();
    let stop_request = job.stop_request.filter(|_| !is_to_let_go);
    match (worked, stop_request) {
        (Ok(true), _) => job.end_as(Phase::Done, now),
        (_, Some(StopRequest::Cancel)) => job.end_as(Phase::Cancelled, now),
        (_, Some(StopRequest::Pause)) => job.end_as(Phase::Paused, now),
        (Ok(false), None) if is_stuck && !is_to_let_go => {
            job.release_after_fault(STUCK.to_owned(), now);
        }
        (Ok(false), None) => job.release(),
        (Err(SegmentError::Permanent(error)), None) if is_to_let_go => {
            job.release_after_fault(error.clone(), now);
        }
        (Err(SegmentError::Permanent(error)), None) => {
            job.last_error = Some(error.clone());
            job.end_as(Phase::Failed, now);
        }
        (Err(SegmentError::Transient(error)), None) => {
            job.release_after_fault(error.clone(), now);
        }
        (Err(SegmentError::Fenced), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::state::tests::leased;

    const NOW: Timestamp = Timestamp(1_714_564_900_000);

    fn settled(
        worked: &Result<bool, SegmentError>,
        change: impl Fn(&mut Job),
    ) -> (Phase, bool, Option<String>) {
        let mut job = leased();
        change(&mut job);
        settle(&mut job, worked, Some(0), NOW);
        (job.phase, job.lease.is_some(), job.last_error)
    }

    #[test]
    fn a_job_is_ended_or_left_to_who_continues_it() {
        let advanced = |job: &mut Job| job.counts.listed = 1;
        let sending = |job: &mut Job| job.phase = Phase::Sending;
        let error = || "no network".to_owned();
        let stuck = || Some(STUCK.to_owned());
        let (done, time_is_up) = (Ok(true), Ok(false));
        let transient = Err(SegmentError::Transient(error()));
        let permanent = Err(SegmentError::Permanent(error()));
        let fenced = Err(SegmentError::Fenced);

        assert_eq!(settled(&done, sending), (Phase::Done, false, None));
        assert_eq!(settled(&time_is_up, sending), (Phase::Sending, false, None));
        assert_eq!(
            settled(&time_is_up, advanced),
            (Phase::Scanning, false, None)
        );
        assert_eq!(
            settled(&time_is_up, |_| {}),
            (Phase::Scanning, false, stuck())
        );
        let later = settled(&transient, sending);
        assert_eq!(later, (Phase::Sending, false, Some(error())));
        let failed = settled(&permanent, sending);
        assert_eq!(failed, (Phase::Failed, false, Some(error())));
        assert_eq!(settled(&fenced, sending), (Phase::Sending, true, None));
        let tenth = |job: &mut Job| job.counts.failures = 9;
        assert_eq!(settled(&transient, tenth).0, Phase::Failed);
    }

    #[test]
    fn an_operators_request_is_carried_out_whatever_came_of_the_work() {
        let not_done = [
            Ok(false),
            Err(SegmentError::Transient(String::new())),
            Err(SegmentError::Permanent(String::new())),
        ];
        for (request, phase) in [
            (StopRequest::Pause, Phase::Paused),
            (StopRequest::Cancel, Phase::Cancelled),
        ] {
            let asked = |job: &mut Job| job.stop_request = Some(request);
            for worked in &not_done {
                assert_eq!(settled(worked, asked).0, phase, "{worked:?}");
            }
            assert_eq!(settled(&Ok(true), asked).0, Phase::Done, "nothing is left");
        }
    }
}
