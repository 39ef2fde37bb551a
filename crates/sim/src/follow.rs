//! History, then live: a job and realtime in one world where anything fails, with writers going on all the
//! time. What must have come of it: see `check`.
//!
//! - `growing`: the bucket that is written meanwhile, its clock, and what S3 notifies
//! - `mapping`: the buffer's event source mapping; `buffer`: what waits in it
//! - `live`: invocations of realtime

mod buffer;
mod check;
mod growing;
mod live;
mod mapping;

use std::sync::Arc;
use std::time::Duration;

use bridge_core::live::newest::GRACE;
use bridge_core::live::stream::LiveOrder;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::handover::Then;
use bridge_history::job::live::LivePorts;
use bridge_history::job::phase::Phase;
use bridge_history::job::tend::tend;
use bridge_history::send::target::Target;
use tokio::time::sleep;

use crate::bucket::{Bucket, STYLE};
use crate::faults::Faults;
use crate::follow::buffer::Buffer;
use crate::follow::growing::{Growing, Writers};
use crate::follow::live::Realtime;
use crate::follow::mapping::SimMapping;
use crate::live::{SimKeys, SimLive};
use crate::operator::Operator;
use crate::scenario::{config, on_simulated_time, start};
use crate::stream::SimStream;
use crate::told;
use crate::world::{BEGIN, CALM, FaultProfile, SimClock, World};

/// All must be done after it, whatever fails.
const MOST_TIME: Duration = Duration::from_hours(24);

/// A message waits for the next pass before the buffer forgets it: two days are kept for that.
const SPARE: Duration = Duration::from_hours(48);

/// A job that live changes follow, and what goes wrong.
#[derive(Debug)]
pub struct FollowScenario {
    seed: u64,
    profile: FaultProfile,
    /// Versions that are there before.
    history: u64,
    writers: Writers,
    /// As what live is sent: `newest`, or `notified`, which leaves nothing out.
    order: LiveOrder,
    /// As what it was sent before the stream was held.
    first_order: LiveOrder,
    /// Where the history is asked to begin.
    from: Option<Timestamp>,
    /// How long an invocation of realtime may take.
    timeout: Duration,
    /// Of 10 invocations, how many are killed at some moment.
    killed_of_ten: u64,
    /// Of 10 invocations, how many stand still between their look at the hold and their first request.
    frozen_of_ten: u64,
    /// Somebody pauses, resumes and cancels.
    has_operator: bool,
    /// The mapping is deleted at some moment.
    loses_mapping: bool,
    /// A deploy enables the mapping at some moment.
    is_deployed: bool,
    /// For how long a pass may take before another one follows.
    most_of_a_pass: Duration,
    max_rate: Option<u64>,
}

impl FollowScenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let some =
            |random: &mut fastrand::Rng, values: &[u64]| values[random.usize(0..values.len())];
        let is_rough = random.bool();
        let of_rough = |number: u64| if is_rough { number } else { 0 };
        let is_slow = random.u8(0..8) == 0;
        let order = match random.u8(0..6) {
            0 => LiveOrder::Notified,
            1 | 2 => LiveOrder::Newest,
            _ => LiveOrder::Exact,
        };
        let is_changed = order == LiveOrder::Exact && random.u8(0..4) == 0;
        let profile = FaultProfile {
            faults_per_mille: random.u32(0..70).saturating_sub(20),
            killed_of_ten: random.u64(0..4),
            lost_of_ten: random.u64(0..3),
            doubled_of_ten: random.u64(0..4),
            cut_off_of_ten: of_rough(random.u64(0..5)),
            frozen_of_ten: of_rough(random.u64(0..4)),
            clocks_off_ms: of_rough(random.u64(0..2) * random.u64(0..300_000)),
            segment: Duration::from_secs(some(&mut random, &[100, 300, 600, 900])),
            ..CALM
        };
        Self {
            seed,
            profile,
            history: if is_slow { 300 } else { random.u64(0..100) },
            writers: Writers {
                keys: random.u64(1..5),
                pause_ms: some(&mut random, &[2_000, 10_000, 40_000]),
                delay_ms: some(&mut random, &[500, 30_000, 400_000]),
                doubled_of_ten: some(&mut random, &[0, 3]),
                dated_back_of_ten: some(&mut random, &[0, 2, 4]),
            },
            order,
            first_order: if is_changed { LiveOrder::Newest } else { order },
            from: (random.u8(0..6) == 0).then_some(BEGIN),
            timeout: Duration::from_secs(some(&mut random, &[3, 60, 300])),
            killed_of_ten: some(&mut random, &[0, 1, 3]),
            frozen_of_ten: some(&mut random, &[0, 2, 5]),
            has_operator: random.u8(0..3) == 0,
            loses_mapping: random.u8(0..5) == 0,
            is_deployed: random.u8(0..5) == 0,
            most_of_a_pass: Duration::from_mins(if is_slow { 5 } else { 600 }),
            max_rate: is_slow.then_some(1),
        }
    }

    /// Runs it and checks what came of it; how many messages there were.
    ///
    /// # Errors
    /// What is wrong, with the seed.
    pub fn run(&self) -> Result<usize, String> {
        on_simulated_time(self.run_and_check())
            .map_err(|wrong| format!("BRIDGE_SEED={}: {wrong}\n{self:#?}", self.seed))
    }

    async fn run_and_check(&self) -> Result<usize, String> {
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0xf0_1108);
        let faults = Arc::new(Faults::new(random.u64(..), self.profile.faults_per_mille));
        let empty = Arc::new(Bucket::default());
        let mut world = World::new(empty, STYLE, self.profile, Mode::Strict, self.seed);
        world.tends = self.has_late_calls();
        let clock = SimClock::default();
        let buffer = Arc::new(Buffer::default());
        let growing = Arc::new(Growing::new(
            Arc::clone(&faults),
            clock,
            Arc::clone(&world.jobs),
        ));
        growing.fill(self.history, self.writers.keys, &mut random);
        let stream = SimStream::new(Arc::clone(&faults));
        let mapping = Arc::new(SimMapping::new(
            Arc::clone(&faults),
            stream.clone(),
            Arc::clone(&world.jobs),
        ));
        world.ports.lister = growing.clone();
        world.ports.live = Some(LivePorts {
            stream: Arc::new(stream.clone()),
            queue: Target::parse(&config().common.queue_url),
            mapping: Some(mapping.clone()),
            buffer_url: Some("https://sqs.eu-west-1.amazonaws.com/1/buffer".to_owned()),
            bucket_clock: growing.clone(),
            on_its_way: self.timeout + GRACE,
            retention: SPARE + self.most_of_a_pass,
        });
        let realtime = Realtime {
            buffer: Arc::clone(&buffer),
            mapping: Arc::clone(&mapping),
            stream: stream.clone(),
            live: SimLive::new(Arc::clone(&faults)),
            keys: SimKeys::new(faults),
            bucket: Arc::clone(&growing),
            queue: Arc::clone(&world.queue),
            clock,
            order: self.order,
            first_order: self.first_order,
            is_switched: Arc::default(),
            timeout: self.timeout,
            killed_of_ten: self.killed_of_ten,
            frozen_of_ten: self.frozen_of_ten,
        };
        let _writing = self.writers.write(&growing, &buffer, random.fork());
        let sending = realtime.run(random.fork());
        let deploying = self.deploy(&mapping, random.fork());
        let work = async {
            // Live is at work before.
            sleep(Duration::from_secs(random.u64(0..120))).await;
            let rested = self.run_job(&world).await?;
            sleep(Duration::from_secs(random.u64(0..60))).await;
            growing.stop_writing();
            mapping.put_back();
            if !buffer.is_emptied(MOST_TIME).await {
                let (stream, is_on) = (stream.now(), mapping.is_on());
                return Err(format!(
                    "live is stuck: {stream:?}, the mapping is on: {is_on}"
                ));
            }
            sleep(Duration::from_mins(2)).await; // what is still on its way
            Ok(rested)
        };
        let job = tokio::select! {
            job = work => job?,
            () = sending => return Err("realtime ended".to_owned()),
            () = deploying => return Err("the deploys ended".to_owned()),
        };
        told::check(&world.jobs.turns(), self.seed).await?;
        let found = check::Found {
            job: &world.jobs.jobs()[&job],
            queue: &world.queue,
            bucket: &growing.bucket(),
            came: &growing.came(),
            stream: stream.now(),
            order: realtime.order_now(),
            first_order: self.first_order,
            from: self.from,
            has_faults: self.profile.faults_per_mille > 0
                || self.killed_of_ten > 0
                || self.frozen_of_ten > 0,
        };
        for violations in [mapping.violations(), growing.violations()] {
            if let Some(violation) = violations.first() {
                return Err(violation.clone());
            }
        }
        if !mapping.is_on() {
            return Err("the mapping is disabled".to_owned());
        }
        found.check()
    }

    /// Lets the job run to its end.
    async fn run_job(&self, world: &World) -> Result<JobId, String> {
        let request = StartRequest {
            then: Some(Then::Live),
            max_rate: self.max_rate,
            from: self.from,
            ..StartRequest::default()
        };
        let job_id = start(world, &request).await.job_id;
        let mut is_cancelled = false;
        if self.has_operator {
            let operator = Operator::new(world, &job_id, self.seed);
            let (rested, cancelled) = tokio::join!(
                world.turn_while(MOST_TIME, || operator.is_busy()),
                operator.work()
            );
            is_cancelled = cancelled?;
            if !rested {
                return Err(format!("the job never ended: {:?}", world.jobs.jobs()));
            }
        }
        loop {
            if !world.turn(MOST_TIME).await {
                return Err(format!("the job never ended: {:?}", world.jobs.jobs()));
            }
            match world.phase() {
                Phase::Done => break,
                Phase::Cancelled if is_cancelled => break,
                // Ten faults in a row.
                Phase::Failed => drop(actions::resume(&world.ports, &job_id, None).await),
                phase => return Err(format!("the job is {phase}: {:?}", world.jobs.jobs())),
            }
        }
        // A hold that was late on its way is looked after by the sweep.
        for _ in 0..if self.has_late_calls() { 5 } else { 0 } {
            sleep(Duration::from_mins(1)).await;
            let _ = tend(&world.ports).await;
        }
        Ok(job_id)
    }

    /// Whether a hold may be late on its way, so that the sweep must look after it.
    fn has_late_calls(&self) -> bool {
        let FaultProfile {
            faults_per_mille,
            frozen_of_ten,
            ..
        } = self.profile;
        faults_per_mille > 0 || frozen_of_ten > 0
    }

    /// What others do to the mapping.
    async fn deploy(&self, mapping: &SimMapping, mut random: fastrand::Rng) {
        sleep(Duration::from_secs(random.u64(0..400))).await;
        if self.loses_mapping {
            mapping.delete();
        }
        if self.is_deployed {
            mapping.enable_unasked();
        }
        std::future::pending::<()>().await;
    }
}
