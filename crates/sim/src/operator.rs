//! Somebody who pauses, resumes and cancels a job while a scenario runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bridge_history::api::actions;
use bridge_history::id::JobId;
use bridge_history::job::error::JobError;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::StopRequest;
use tokio::time::sleep;

use crate::world::World;

/// Who does it.
pub struct Operator<'a> {
    world: &'a World,
    job_id: &'a JobId,
    seed: u64,
    is_busy: AtomicBool,
}

impl<'a> Operator<'a> {
    /// An operator of one job.
    #[must_use]
    pub fn new(world: &'a World, job_id: &'a JobId, seed: u64) -> Self {
        Self {
            world,
            job_id,
            seed,
            is_busy: AtomicBool::new(true),
        }
    }

    /// Whether more is to come.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    /// Asks for a few things, and lets a paused job continue at last. Tells whether a cancel was accepted.
    ///
    /// # Errors
    /// What an accepted cancel did not hold.
    pub async fn work(&self) -> Result<bool, String> {
        let worked = self.ask().await;
        self.is_busy.store(false, Ordering::Relaxed);
        worked
    }

    async fn ask(&self) -> Result<bool, String> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let ports = &self.world.ports;
        // Accepted; or the answer is unknown, and may have been that.
        let (mut accepted, mut cancelled) = (false, false);
        for _ in 0..random.u8(2..6) {
            sleep(Duration::from_millis(random.u64(0..60_000))).await;
            // What the store refuses is not asked for again: it may or may not have been heard.
            match random.u8(0..5) {
                0 => {
                    let answer =
                        actions::request_stop(ports, self.job_id, StopRequest::Cancel).await;
                    accepted |= answer.is_ok();
                    cancelled |= matches!(answer, Ok(_) | Err(JobError::Store(_)));
                    // And again, as people do.
                    sleep(Duration::from_millis(random.u64(0..2_000))).await;
                    let request = random
                        .choice([StopRequest::Pause, StopRequest::Cancel])
                        .unwrap_or(StopRequest::Pause);
                    let _ = actions::request_stop(ports, self.job_id, request).await;
                }
                1 | 2 => drop(actions::request_stop(ports, self.job_id, StopRequest::Pause).await),
                _ => drop(actions::resume(ports, self.job_id, None).await),
            }
        }
        loop {
            sleep(Duration::from_secs(10)).await;
            let Some(job) = self.world.jobs.jobs().get(self.job_id).cloned() else {
                return Err("the job is gone".to_owned());
            };
            match job.phase {
                Phase::Paused if accepted => return Err("a pause undid a cancel".to_owned()),
                Phase::Paused | Phase::Failed => {
                    drop(actions::resume(ports, self.job_id, None).await);
                }
                Phase::Done => return Ok(cancelled),
                Phase::Cancelled => break,
                Phase::Scanning | Phase::Sending => {}
            }
        }
        let ended = || self.world.jobs.jobs()[self.job_id].finished_at;
        let before = ended();
        sleep(Duration::from_mins(1)).await;
        let _ = actions::request_stop(ports, self.job_id, StopRequest::Cancel).await;
        if ended() != before {
            return Err("a second cancel moved the end".to_owned());
        }
        Ok(cancelled)
    }
}
