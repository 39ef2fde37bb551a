//! A whole stack on simulated time: segments, continuations that are lost or doubled, kills at
//! any moment, and the sweep that picks up the pieces.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::{Epoch, JobId};
use bridge_history::job::invocation::Invocation;
use bridge_history::job::phase::Phase;
use bridge_history::job::ports::{Continuation, ContinuationError, Ports};
use bridge_history::job::segment::{SegmentEnd, run};
use bridge_history::job::settings::SegmentSettings;
use bridge_history::job::sweep::sweep;
use bridge_history::job::tend::tend;
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::asleep::{Asleep, Sleep};
use crate::bucket::{Bucket, SimLister, Style};
use crate::faults::Faults;
use crate::queue::{Rules, SimQueue};
use crate::queues::OneQueue;
use crate::store::{CutOff, Outages, SimJobs, SimPlans};

/// When simulated time begins.
pub const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

/// Events handed out and not yet acknowledged, at most.
const WINDOW: usize = 200;

/// Pages asked for at once, at most.
pub const LISTERS: usize = 3;

/// The time of day on tokio's (paused) clock.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    begin: Instant,
}

impl Default for SimClock {
    /// It begins now.
    fn default() -> Self {
        Self {
            begin: Instant::now(),
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        BEGIN + self.begin.elapsed()
    }
}

/// The clock of a machine that tells another time.
struct WrongClock {
    clock: Arc<dyn Clock>,
    off_ms: i64,
}

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + self.off_ms)
    }
}

/// Continuations that wait to be run.
pub struct SimContinuation {
    waiting: Mutex<VecDeque<(JobId, Epoch)>>,
    faults: Arc<Faults>,
    /// Of 10 invocations: the first so many are lost, the next so many come twice.
    lost: u64,
    doubled: u64,
}

#[async_trait]
impl Continuation for SimContinuation {
    async fn invoke(&self, job_id: &JobId, epoch: Epoch) -> Result<(), ContinuationError> {
        let lot = self.faults.below(10);
        let times = if lot < self.lost {
            0
        } else if lot < self.lost + self.doubled {
            2
        } else {
            1
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..times {
            waiting.push_back((job_id.clone(), epoch));
        }
        Ok(())
    }
}

/// How rough a world is.
#[derive(Debug, Clone, Copy)]
pub struct FaultProfile {
    /// Of 1,000 calls to a port, how many go wrong.
    pub faults_per_mille: u32,
    /// Of 10 segments, how many are killed at some moment.
    pub killed_of_ten: u64,
    /// Of 10 continuations, how many are lost.
    pub lost_of_ten: u64,
    /// Of 10 continuations, how many come twice.
    pub doubled_of_ten: u64,
    /// Of 10 segments, how many are cut off from the job store for a time.
    pub cut_off_of_ten: u64,
    /// Of 10 segments, how many stand still for a time.
    pub frozen_of_ten: u64,
    /// How long every segment has its job before it dies, if that is always the same way.
    pub killed_at: Option<Duration>,
    /// How far a machine's clock may be off, either way, ms.
    pub clocks_off_ms: u64,
    /// When the plan store refuses everything.
    pub plan_outages: Option<Outages>,
    /// How long a page takes, beside the usual.
    pub page_takes: Duration,
    /// Whether there is an item among the jobs that cannot be read.
    pub unreadable_job: bool,
    /// How long a segment may work.
    pub segment: Duration,
}

/// Nothing goes wrong.
pub const CALM: FaultProfile = FaultProfile {
    faults_per_mille: 0,
    killed_of_ten: 0,
    lost_of_ten: 0,
    doubled_of_ten: 0,
    cut_off_of_ten: 0,
    frozen_of_ten: 0,
    killed_at: None,
    clocks_off_ms: 0,
    plan_outages: None,
    page_takes: Duration::ZERO,
    unreadable_job: false,
    segment: Duration::from_mins(10),
};

/// A stack.
pub struct World {
    /// The ports, to act on jobs.
    pub ports: Ports,
    /// Where events arrive.
    pub queue: Arc<SimQueue>,
    /// The jobs, past all faults.
    pub jobs: Arc<SimJobs>,
    /// The plans, past all faults.
    pub plans: Arc<SimPlans>,
    /// How segments work.
    pub settings: SegmentSettings,
    /// Whether the sweep looks after holds.
    pub tends: bool,
    /// How segments ended that were not killed.
    pub ends: Arc<Mutex<Vec<SegmentEnd>>>,
    continuation: Arc<SimContinuation>,
    faults: Arc<Faults>,
    profile: FaultProfile,
    mode: Mode,
}

impl World {
    /// A stack over `bucket`. Must be called on a paused tokio clock.
    #[must_use]
    pub fn new(
        bucket: Arc<Bucket>,
        style: Style,
        profile: FaultProfile,
        mode: Mode,
        seed: u64,
    ) -> Self {
        let faults = Arc::new(Faults::new(seed, profile.faults_per_mille));
        let clock = Arc::new(SimClock::default());
        let rules = Rules {
            mode,
            window: WINDOW as u64,
            max_message_bytes: 4096,
        };
        let queue = Arc::new(SimQueue::new(Arc::clone(&faults), clock.clone(), rules));
        let mut jobs = SimJobs::new(Arc::clone(&faults));
        if profile.unreadable_job {
            jobs = jobs.with_unreadable();
        }
        let jobs = Arc::new(jobs);
        let plans = SimPlans::new(Arc::clone(&faults));
        let plans = Arc::new(plans.with_outages(profile.plan_outages, Instant::now()));
        let continuation = Arc::new(SimContinuation {
            waiting: Mutex::default(),
            faults: Arc::clone(&faults),
            lost: profile.lost_of_ten,
            doubled: profile.doubled_of_ten,
        });
        let mut settings = SegmentSettings::new("eu-west-1".to_owned(), seed);
        settings.send.lanes = 4;
        settings.send.window = WINDOW;
        settings.scan.listers = LISTERS;
        Self {
            ports: Ports {
                lister: Arc::new(SlowLister {
                    lister: SimLister::new(bucket, style, Arc::clone(&faults)),
                    page_takes: profile.page_takes,
                }),
                plans: plans.clone(),
                elsewhere: None,
                queues: Arc::new(OneQueue(Arc::clone(&queue))),
                jobs: jobs.clone(),
                continuation: continuation.clone(),
                clock,
                live: None,
            },
            queue,
            jobs,
            plans,
            settings,
            tends: true,
            ends: Arc::default(),
            continuation,
            faults,
            profile,
            mode,
        }
    }

    /// Whether no request may carry two messages of one group.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.mode == Mode::Strict
    }

    /// Lets the world turn until every job has stopped, or for `limit` of simulated time. Tells
    /// whether all have.
    pub async fn turn(&self, limit: Duration) -> bool {
        self.turn_while(limit, || false).await
    }

    /// As [`World::turn`], but also as long as somebody is `busy`.
    pub async fn turn_while(&self, limit: Duration, busy: impl Fn() -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut segments = JoinSet::new();
        // Where a segment takes long, nobody needs to look often.
        let tick = Duration::from_millis(20).max(self.profile.segment / 2_000);
        let mut next_sweep = Instant::now() + Duration::from_mins(1);
        while Instant::now() < end {
            let waiting = std::mem::take(
                &mut *self
                    .continuation
                    .waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            for (job_id, epoch) in waiting {
                segments.spawn(self.segment(job_id, epoch));
            }
            if Instant::now() >= next_sweep {
                next_sweep += Duration::from_mins(1);
                // A sweep that fails is followed by another.
                let mut ports = self.ports.clone();
                ports.clock = self.some_clock();
                let _ = sweep(&ports).await;
                if self.tends {
                    let _ = tend(&ports).await;
                }
            }
            while segments.try_join_next().is_some() {}
            let at_rest = self.jobs.jobs().values().all(|job| !job.is_active());
            if at_rest && segments.is_empty() && !busy() {
                return true;
            }
            sleep(tick).await;
        }
        false
    }

    /// The clock of some machine.
    fn some_clock(&self) -> Arc<dyn Clock> {
        let most = self.profile.clocks_off_ms;
        let off = self.faults.below(2 * most + 1);
        Arc::new(WrongClock {
            clock: Arc::clone(&self.ports.clock),
            off_ms: i64::try_from(off).unwrap_or(0) - i64::try_from(most).unwrap_or(0),
        })
    }

    /// One segment, which may be killed at some moment.
    fn segment(&self, job_id: JobId, epoch: Epoch) -> impl Future<Output = ()> + use<> {
        let (mut ports, settings) = (self.ports.clone(), self.settings.clone());
        let (profile, faults) = (self.profile, Arc::clone(&self.faults));
        let (jobs, ends) = (Arc::clone(&self.jobs), Arc::clone(&self.ends));
        let store = Arc::clone(&self.jobs);
        ports.clock = self.some_clock();
        async move {
            let owner = format!("segment-{}", faults.below(u64::MAX));
            let life = profile.segment.as_millis().try_into().unwrap_or(u64::MAX);
            if faults.below(10) < profile.cut_off_of_ten {
                let from = Instant::now() + Duration::from_millis(faults.below(life));
                ports.jobs = Arc::new(CutOff {
                    jobs,
                    from,
                    until: from + Duration::from_millis(faults.below(200_000)),
                    wait: Duration::from_millis(faults.below(20_000)),
                });
            }
            let frozen = (faults.below(10) < profile.frozen_of_ten).then(|| {
                let from = Instant::now() + Duration::from_millis(faults.below(life));
                let until = from + Duration::from_millis(faults.below(300_000));
                Sleep { from, until }
            });
            if let Some(sleep) = frozen {
                let queues = ports.queues;
                ports.queues = Arc::new(Asleep { queues, sleep });
            }
            let work = run(
                &ports,
                &settings,
                Invocation {
                    job_id: &job_id,
                    expected_epoch: Some(epoch),
                    owner: &owner,
                    budget: profile.segment,
                    stop: CancellationToken::new(),
                },
            );
            let killed = faults.below(10) < profile.killed_of_ten;
            let moment = Duration::from_millis(faults.below(life));
            let death = async {
                if let Some(after) = profile.killed_at {
                    while !store.is_held_by(&owner) {
                        sleep(Duration::from_millis(100)).await;
                    }
                    sleep(after).await;
                } else if killed {
                    sleep(moment).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                end = standing_still(work, frozen) => {
                    ends.lock().unwrap_or_else(PoisonError::into_inner).extend(end);
                }
                () = death => {}
            }
        }
    }

    /// The phase of the only job.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let jobs = self.jobs.jobs();
        assert_eq!(jobs.len(), 1, "one job");
        jobs.values().next().expect("there is one").phase
    }
}

/// Work that is not gone on with for a time, as when its machine is starved or suspended.
async fn standing_still<T>(work: impl Future<Output = T>, frozen: Option<Sleep>) -> T {
    let mut work = std::pin::pin!(work);
    if let Some(Sleep { from, until }) = frozen {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep_until(from) => sleep_until(until).await,
        }
    }
    work.await
}

/// A bucket that takes its time.
struct SlowLister {
    lister: SimLister,
    page_takes: Duration,
}

#[async_trait]
impl Lister for SlowLister {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        sleep(self.page_takes).await;
        self.lister.list(prefix, marker).await
    }
}
