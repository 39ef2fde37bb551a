//! How a seed draws a scenario.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::start::StartRequest;
use bridge_history::scan::filter::Events;
use bridge_history::send::parking::OnUndeliverable;

use crate::bucket::{Bucket, Markers, STYLE, Style};
use crate::scenario::{Kind, Scenario};
use crate::store::Outages;
use crate::world::{BEGIN, CALM, FaultProfile};

impl Scenario {
    /// Everything about it is drawn from the seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // One of four is slow enough for leases, sweeps and takeovers to matter.
        let is_long = random.u8(0..4) == 0;
        let profile = FaultProfile {
            faults_per_mille: random.u32(0..80),
            killed_of_ten: random.u64(0..if is_long { 3 } else { 7 }),
            lost_of_ten: random.u64(0..4),
            doubled_of_ten: random.u64(0..5),
            cut_off_of_ten: if is_long { random.u64(4..10) } else { 0 },
            frozen_of_ten: if is_long { random.u64(0..6) } else { 0 },
            killed_at: None,
            clocks_off_ms: 0,
            plan_outages: None,
            page_takes: Duration::ZERO,
            unreadable_job: seed.is_multiple_of(3),
            segment: Duration::from_millis(if is_long {
                random.u64(100_000..600_000)
            } else {
                random.u64(1_500..40_000)
            }),
        };
        let versions = random.u64(1..700);
        let style = style(seed);
        // Where markers stand apart, or the oldest first, only times tell.
        let only_times_tell = style.markers_apart || style.oldest_first;
        let bucket = bucket_of_steps(&mut random, versions, i64::from(only_times_tell));
        let packed = random.bool();
        let order = ["key", "key", "bucket"][random.usize(0..3)];
        let mut scenario = Self {
            seed,
            profile,
            bucket,
            kind: Kind::Any,
            undeliverable: BTreeSet::new(),
            style,
            request: StartRequest {
                order: Some(order.to_owned()),
                format: packed.then_some(Format::S3),
                records_per_message: packed.then(|| random.usize(1..12)),
                delivery: if random.u8(0..3) == 0 {
                    Mode::Batched
                } else {
                    Mode::Strict
                },
                max_rate: is_long.then(|| (versions / random.u64(100..500)).max(1)),
                ..StartRequest::default()
            },
        };
        if is_long {
            scenario.profile.clocks_off_ms = random.u64(0..2) * random.u64(0..300_000);
        }
        if random.u8(0..3) == 0 {
            scenario.profile.plan_outages = Some(Outages {
                every: Duration::from_millis(random.u64(2_000..60_000)),
                length: Duration::from_millis(random.u64(100..1_500)),
            });
        }
        match random.u8(0..24) {
            0 => scenario.of_kind(Kind::Deaths),
            1 => scenario.of_kind(Kind::NothingKept),
            2 => scenario.of_kind(Kind::LongOutages),
            3 => scenario.of_kind(Kind::ShortOutages),
            4 | 5 if is_long => scenario.of_kind(Kind::Operator),
            _ if seed % 4 == 1 => scenario.with_undeliverable(),
            _ => scenario,
        }
    }

    /// The queue refuses one event of thirty for good, and a key that makes messages too long. The job
    /// parks them, or fails at the first and is resumed so that it parks.
    fn with_undeliverable(mut self) -> Self {
        let mut random = fastrand::Rng::with_seed(self.seed.rotate_left(32));
        if random.bool() {
            let mut bucket = (*self.bucket).clone();
            let last = bucket
                .history()
                .last()
                .map(|(position, _)| position.effective_time);
            let begin = last.unwrap_or(BEGIN);
            for second in 0..random.u64(1..5) {
                bucket.put(&"\u{1}".repeat(1000), begin + Duration::from_secs(second));
            }
            self.bucket = Arc::new(bucket);
        }
        let is_bridge = self.request.format != Some(Format::S3);
        let history = self.bucket.history();
        self.undeliverable = (1..)
            .zip(&history)
            .filter(|(_, (position, _))| {
                (is_bridge && position.key.len() == 1000) || random.u8(0..30) == 0
            })
            .map(|(sequence, _)| sequence)
            .collect();
        if random.u8(0..3) > 0 {
            self.request.on_undeliverable = OnUndeliverable::Park;
        }
        self
    }

    fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        if kind == Kind::Operator {
            return self;
        }
        self.profile = FaultProfile {
            faults_per_mille: self.profile.faults_per_mille / 4,
            unreadable_job: self.profile.unreadable_job,
            ..CALM
        };
        self.request.max_rate = None;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let seconds = |of| Duration::from_secs(of);
        match kind {
            Kind::Any | Kind::Operator => {}
            Kind::Deaths => {
                self.profile.page_takes = seconds(20);
                self.profile.killed_at = Some(seconds(random.u64(1..20)));
            }
            Kind::NothingKept => {
                self.bucket = keys(700);
                self.request.events = Events::Removed;
                self.profile.page_takes = seconds(20);
                self.profile.killed_at = Some(seconds(random.u64(90..120)));
            }
            Kind::LongOutages | Kind::ShortOutages => {
                self.bucket = keys(600);
                self.style.page_size = 3;
                self.profile.page_takes = seconds(4);
                self.profile.plan_outages = Some(Outages {
                    every: seconds(20),
                    length: seconds(8),
                });
            }
        }
        self
    }
}

/// Every second server is S3; the others write flags and markers in their own ways, and some also list in
/// an order of their own, which must not change anything.
fn style(seed: u64) -> Style {
    let mut random = fastrand::Rng::with_seed(!seed);
    if random.bool() {
        return STYLE;
    }
    let lists_otherwise = random.u8(0..3) == 0;
    let says_latest = random.bool() || lists_otherwise;
    Style {
        markers_apart: lists_otherwise && random.bool(),
        oldest_first: lists_otherwise && random.bool(),
        says_latest,
        two_latest: random.bool() && !lists_otherwise,
        truncated: ["true", "True", "1", ""][random.usize(0..4)],
        markers: match random.u8(0..3) {
            0 => Markers::Raw,
            // A page that lists markers apart does not show its last entry: such a server is refused.
            1 if !lists_otherwise => Markers::KeyAgain,
            _ => Markers::Missing,
        },
        ..STYLE
    }
}

/// A bucket of up to 60 keys, whose versions are often of one second. One key in eight has characters
/// that a key may hold and a message may not.
#[must_use]
pub fn bucket(random: &mut fastrand::Rng, versions: u64) -> Arc<Bucket> {
    bucket_of_steps(random, versions, 0)
}

/// The same, its versions so many seconds apart at least.
fn bucket_of_steps(random: &mut fastrand::Rng, versions: u64, least: i64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    let mut seconds = 1_714_564_800;
    let keys = random.u64(1..60);
    for _ in 0..versions {
        seconds += random.i64(0..3).max(least);
        let number = random.u64(0..keys);
        let odd = if number % 8 == 7 {
            "\u{1}\u{FFFE}\u{FFFF}"
        } else {
            ""
        };
        let key = format!("k/{number:02}{odd}");
        if random.u8(0..5) == 0 {
            bucket.delete(&key, Timestamp(seconds * 1000));
        } else {
            bucket.put(&key, Timestamp(seconds * 1000));
        }
    }
    Arc::new(bucket)
}

/// A bucket of so many keys, each written once.
fn keys(keys: i64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    for key in 0..keys {
        let second = 1_714_564_800 + key;
        bucket.put(&format!("k/{key:03}"), Timestamp(second * 1000));
    }
    Arc::new(bucket)
}
