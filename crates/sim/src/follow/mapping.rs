//! An event source mapping, with faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_history::id::JobId;
use bridge_history::job::live::{LivePortError, Mapping, Switched};
use bridge_history::job::phase::Phase;
use tokio::time::Instant;

use crate::faults::{Faults, Strike};
use crate::store::SimJobs;
use crate::stream::SimStream;

/// How long a mapping that was disabled still hands out messages.
const TAIL: Duration = Duration::from_secs(30);

/// A mapping.
pub(super) struct SimMapping {
    state: Mutex<State>,
    faults: Arc<Faults>,
    stream: SimStream,
    jobs: Arc<SimJobs>,
}

#[derive(Debug)]
struct State {
    is_on: bool,
    is_gone: bool,
    /// Nobody deletes it any more.
    is_final: bool,
    switched_off: Option<Instant>,
    violations: Vec<String>,
}

impl SimMapping {
    /// One that is enabled.
    pub(super) fn new(faults: Arc<Faults>, stream: SimStream, jobs: Arc<SimJobs>) -> Self {
        Self {
            state: Mutex::new(State {
                is_on: true,
                is_gone: false,
                is_final: false,
                switched_off: None,
                violations: Vec::new(),
            }),
            faults,
            stream,
            jobs,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody deletes it.
    pub(super) fn delete(&self) {
        let mut state = self.state();
        state.is_gone = !state.is_final;
    }

    /// A deploy sets it as the template has it.
    pub(super) fn enable_unasked(&self) {
        self.state().is_on = true;
    }

    /// Somebody makes it anew, if it was deleted, and for good.
    pub(super) fn put_back(&self) {
        let mut state = self.state();
        state.is_final = true;
        if std::mem::take(&mut state.is_gone) {
            state.is_on = true;
        }
    }

    /// Whether it is enabled.
    pub(super) fn is_on(&self) -> bool {
        self.state().is_on
    }

    /// Whether it hands out messages.
    pub(super) fn hands_out(&self) -> bool {
        let state = self.state();
        let is_in_tail = state.switched_off.is_some_and(|at| at.elapsed() < TAIL);
        !state.is_gone && (state.is_on || is_in_tail)
    }

    /// Where it was enabled too early.
    pub(super) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Whether a job that has not ended holds live changes.
    fn is_held(&self) -> bool {
        let hold = self.stream.now().hold;
        let jobs = self.jobs.jobs();
        let job = hold.and_then(|hold| jobs.get(&JobId::stored(hold.owner)).cloned());
        job.is_some_and(|job| !matches!(job.phase, Phase::Done | Phase::Cancelled))
    }

    fn apply(&self, on: bool) -> Switched {
        let mut state = self.state();
        if state.is_gone {
            return Switched::Gone;
        }
        if on && self.is_held() {
            let text = "the mapping was enabled while the stream was held".to_owned();
            state.violations.push(text);
        }
        if state.is_on && !on {
            state.switched_off = Some(Instant::now());
        }
        state.is_on = on;
        Switched::Done
    }
}

#[async_trait]
impl Mapping for SimMapping {
    async fn switch(&self, on: bool) -> Result<Switched, LivePortError> {
        let strike = self.faults.strike().await;
        match strike {
            Strike::None => return Ok(self.apply(on)),
            Strike::After => drop(self.apply(on)),
            // Calls that change a function's set-up are not on their way for long.
            Strike::Before | Strike::Throttled | Strike::Late => {}
        }
        Err(LivePortError {
            reason: format!("{strike:?}"),
            kind: strike.kind(),
        })
    }
}
