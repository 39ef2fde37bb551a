use std::sync::Mutex;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use bridge_core::watched::Finding;
use proptest::prelude::*;

use super::*;
use crate::api::start::StartRequest;
use crate::api::start::tests::config;
use crate::id::JobId;
use crate::job::handover::Handover;
use crate::job::state::Seen;
use crate::job::transition::Transition;
use crate::plan::manifest::Summary;

fn job() -> Job {
    let options = StartRequest::default().resolve(&config(), Timestamp(0));
    let id = "20240501-1a2b3c4d-1".parse().unwrap();
    let digest = "1a2b3c4d".to_owned();
    Job::new(id, "ledger", options.unwrap(), digest, Timestamp(1_500))
}

/// A bus that takes what it is given, but for the refusals that are due.
#[derive(Default)]
struct Bus {
    put: Mutex<Vec<JobEvent>>,
    /// Of each of the next puts, if it is refused and how.
    refusals: Mutex<Vec<Option<EventBusError>>>,
}

impl Bus {
    fn refusing(refusals: Vec<Option<EventBusError>>) -> Self {
        Self {
            refusals: Mutex::new(refusals),
            ..Self::default()
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let put = self.put.lock().unwrap();
        put.iter().map(|event| event.detail_type).collect()
    }
}

#[async_trait]
impl EventBus for Bus {
    async fn put(&self, event: &JobEvent) -> Result<(), EventBusError> {
        let mut refusals = self.refusals.lock().unwrap();
        let refusal = if refusals.is_empty() {
            None
        } else {
            refusals.remove(0)
        };
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        self.put.lock().unwrap().push(event.clone());
        Ok(())
    }

    async fn check(&self) -> Finding {
        panic!("not used")
    }
}

fn refusal(kind: FailureKind, is_of_the_event: bool) -> EventBusError {
    EventBusError {
        reason: "no".to_owned(),
        kind,
        is_of_the_event,
    }
}

fn unreadable() -> Result<Job, JobStoreError> {
    Err(JobStoreError::Unreadable {
        job_id: JobId::stored("j-1".to_owned()),
        reason: "strange".to_owned(),
    })
}

#[test]
fn an_event_is_the_job_as_status_shows_it() {
    let mut job = job();
    job.last_error = Some("why".to_owned());
    job.updated_at = Timestamp(2_500);
    for transition in Transition::ALL {
        job.transition = Some(transition);
        let event = event(&job, "aws-cn").unwrap();
        assert_eq!(event.detail_type, transition.detail_type());
        assert_eq!(event.resource, "arn:aws-cn:s3:::ledger");
        assert_eq!(event.time, Timestamp(2_500));
        let detail: Value = serde_json::from_str(&event.detail).unwrap();
        assert_eq!(detail, json!(JobAnswer::from(&job)));
    }
    assert_eq!(event(&job.next(Timestamp(3)), "aws"), None);
}

#[tokio::test]
async fn of_the_writes_of_a_job_the_transitions_are_told_each_once_and_in_order() {
    let started = job();
    let lease = std::time::Duration::from_mins(1);
    let taken = started.take_over("a", None, Timestamp(2), lease, Seen::Once);
    let taken = taken.unwrap();
    let beat = taken.next(Timestamp(3));
    let mut failed = beat.next(Timestamp(4));
    failed.end_as(crate::job::phase::Phase::Failed, Timestamp(4));
    let resumed = failed.resumed(None, Timestamp(5)).unwrap();
    let mut done = resumed.next(Timestamp(6));
    done.end_as(crate::job::phase::Phase::Done, Timestamp(6));
    let writes = [started, taken, beat, failed, resumed, done].map(Ok);
    let bus = Bus::default();
    assert_eq!(tell(&bus, &writes, "aws").await, Ok(4));
    let expected = ["Job started", "Job failed", "Job resumed", "Job done"];
    assert_eq!(bus.names(), expected);
}

#[tokio::test]
async fn what_could_not_be_put_is_given_again_and_what_never_can_holds_nobody_up() {
    let of = |transition| {
        let mut job = job();
        job.transition = Some(transition);
        Ok(job)
    };
    let writes = [
        of(Transition::Started),
        unreadable(),
        of(Transition::Paused),
        of(Transition::Resumed),
    ];
    // The second put fails by what may pass, or by what an operator may mend.
    for kind in [
        FailureKind::Throttled,
        FailureKind::Transient,
        FailureKind::Permanent,
    ] {
        let bus = Bus::refusing(vec![None, Some(refusal(kind, false))]);
        assert_eq!(tell(&bus, &writes, "aws").await.unwrap_err().kind, kind);
        assert_eq!(bus.names(), ["Job started"]);
        assert_eq!(tell(&bus, &writes, "aws").await, Ok(3));
        let expected = ["Job started", "Job started", "Job paused", "Job resumed"];
        assert_eq!(bus.names(), expected, "at least once");
    }
    let bus = Bus::refusing(vec![None, Some(refusal(FailureKind::Permanent, true))]);
    assert_eq!(tell(&bus, &writes, "aws").await, Ok(2));
    assert_eq!(bus.names(), ["Job started", "Job resumed"]);
}

#[test]
fn a_detail_that_is_too_long_does_without_what_grows_first() {
    let mut job = job();
    job.transition = Some(Transition::Failed);
    job.last_error = Some("why".to_owned());
    let months = (0..100_000).map(|month| (format!("{month:07}"), 1));
    let summary = Summary {
        events: 7,
        by_month: months.collect(),
        ..Summary::default()
    };
    job.planned = Some(summary.clone());
    job.handover = Some(Handover {
        earlier_passes: Some(summary),
        ..Handover::default()
    });
    let detail = event(&job, "aws").unwrap().detail;
    assert!(detail.len() <= MOST_DETAIL, "{}", detail.len());
    let detail: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(detail["planned"]["events"], 7);
    assert_eq!(detail["lastError"], "why");
    assert_eq!(detail["handover"].get("earlierPasses"), None);
}

proptest! {
    /// Whatever somebody put in names and texts, within what an item of the table can hold.
    #[test]
    fn every_detail_fits(
        key in "[\\u{1}a]{0,8192}",
        prefix in "[\\u{1}a]{0,1024}",
        error in "[\\u{1}a]{0,4000}",
        months in 0_usize..20_000,
    ) {
        let mut job = job();
        job.transition = Some(Transition::Failed);
        job.options.filter.prefix.clone_from(&prefix);
        job.options.filter.suffix = prefix;
        job.last_error = Some(error);
        let mut summary = Summary::default();
        summary.ambiguous.first = Some(key.clone());
        summary.by_month = (0..months).map(|month| (format!("{month:07}"), 1)).collect();
        job.planned = Some(summary.clone());
        job.handover = Some(Handover { earlier_passes: Some(summary), ..Handover::default() });
        job.checkpoint.position = Some(crate::plan::position::Position {
            effective_time: Timestamp(0),
            key,
            rank: 0,
        });
        let detail = event(&job, "aws").unwrap().detail;
        prop_assert!(detail.len() <= MOST_DETAIL);
        let detail: Value = serde_json::from_str(&detail).unwrap();
        prop_assert_eq!(&detail["jobId"], "20240501-1a2b3c4d-1");
        prop_assert_eq!(&detail["phase"], "scanning");
    }
}
