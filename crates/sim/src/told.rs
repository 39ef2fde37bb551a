//! What is told of a job: each of its turns, by a bus that fails and invocations that are killed.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::watched::Finding;
use bridge_history::api::event::{event, tell};
use bridge_history::job::event_bus::{EventBus, EventBusError, JobEvent};
use bridge_history::job::handover::Step;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::{Job, StopRequest};
use bridge_history::job::transition::Transition;

use crate::faults::{Faults, Strike};

/// Where a job is, as others see it.
type Place = (Phase, Option<Step>);

/// A write of a job after which it is elsewhere, or says so.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Where it was; nowhere before it was made.
    before: Option<Place>,
    /// The job as it was written.
    job: Job,
}

impl Turn {
    /// What a write is, if it is one.
    #[must_use]
    pub fn of(before: Option<&Job>, job: &Job) -> Option<Self> {
        let before = before.map(place);
        (before != Some(place(job)) || job.transition.is_some()).then(|| Self {
            before,
            job: job.clone(),
        })
    }

    /// What must be told of it, from nothing but where the job was and is.
    fn expected(&self) -> Option<Transition> {
        let Some((phase, step)) = self.before else {
            return Some(Transition::Started);
        };
        let job = &self.job;
        let is_held = step == Some(Step::Holding) && job.step() == Some(Step::Waiting);
        match job.phase {
            now if now == phase => is_held.then_some(Transition::Held),
            Phase::Paused => Some(Transition::Paused),
            Phase::Failed => Some(Transition::Failed),
            Phase::Done => Some(Transition::Done),
            Phase::Cancelled => Some(Transition::Cancelled),
            // To let live go on before it is cancelled.
            _ if phase.is_active() || job.stop_request == Some(StopRequest::Cancel) => None,
            _ => Some(Transition::Resumed),
        }
    }
}

fn place(job: &Job) -> Place {
    (job.phase, job.step())
}

/// Of 1,000 puts and invocations, how many go wrong.
const PER_MILLE: u32 = 200;

struct SimBus {
    put: Mutex<Vec<JobEvent>>,
    faults: Faults,
}

#[async_trait]
impl EventBus for SimBus {
    async fn put(&self, event: &JobEvent) -> Result<(), EventBusError> {
        let strike = self.faults.strike().await;
        if matches!(strike, Strike::None | Strike::After) {
            let mut put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
            put.push(event.clone());
        }
        if strike == Strike::None {
            return Ok(());
        }
        Err(EventBusError {
            reason: "simulated".to_owned(),
            // Also a permission that somebody gives later.
            kind: if strike == Strike::Before {
                FailureKind::Permanent
            } else {
                strike.kind()
            },
            is_of_the_event: false,
        })
    }

    async fn check(&self) -> Finding {
        Finding::Ok
    }
}

/// Every turn was written as one, and no other write; and each is told at least once and in order, though puts fail
/// and whoever tells is killed.
///
/// # Errors
/// What was written, or told, otherwise.
pub async fn check(turns: &[Turn], seed: u64) -> Result<(), String> {
    for turn in turns {
        let (found, expected) = (turn.job.transition, turn.expected());
        if found != expected {
            return Err(format!("written as {found:?}, is {expected:?}: {turn:?}"));
        }
    }
    let turns = turns.iter().filter(|turn| turn.job.transition.is_some());
    let jobs: Vec<_> = turns.map(|turn| Ok(turn.job.clone())).collect();
    let bus = SimBus {
        put: Mutex::default(),
        faults: Faults::new(seed, PER_MILLE),
    };
    let (mut from, mut most) = (0, jobs.len());
    while from < jobs.len() {
        let batch = &jobs[from..jobs.len().min(from + most)];
        let told = tell(&bus, batch, "aws").await;
        let is_killed = bus.faults.strike_entry() != Strike::None;
        if told.is_ok() && !is_killed {
            from += batch.len();
        } else {
            most = batch.len().div_ceil(2);
        }
    }
    let expected: Vec<_> = (jobs.iter().flatten())
        .filter_map(|job| event(job, "aws"))
        .collect();
    let mut told: Vec<JobEvent> = Vec::new();
    for event in bus.put.into_inner().unwrap_or_else(PoisonError::into_inner) {
        if !told.contains(&event) {
            told.push(event);
        }
    }
    if told == expected {
        return Ok(());
    }
    Err(format!("told was {told:?}, happened is {expected:?}"))
}
