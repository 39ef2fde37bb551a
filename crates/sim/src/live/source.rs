//! Notifications on their way: late, swapped, twice or lost, and again while nobody takes them.

use std::time::Duration;

use bridge_core::event::{Change, Event, Source as Path};
use bridge_core::live::place::MOST_REMOVED;
use tokio::time::Instant;

use crate::world::BEGIN;

/// A notification of one change.
#[derive(Debug, Clone)]
pub(super) struct Notification {
    pub(super) event: Event,
    /// When it may be taken.
    pub(super) due: Instant,
    /// How often it was taken before.
    pub(super) tries: u32,
}

/// How writers and notifications behave.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    /// Keys that are written.
    pub keys: u64,
    /// Changes of all keys.
    pub changes: u64,
    /// The longest between two changes.
    pub pause_ms: u64,
    /// The longest that a notification is on its way.
    pub delay_ms: u64,
    /// Of 10 notifications, how many come twice.
    pub doubled_of_ten: u64,
    /// Of 10 notifications, how many are lost, but for each key's last.
    pub lost_of_ten: u64,
}

/// What must have come of a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Must {
    /// Its last state's change, if it had one.
    pub(super) last: Option<Event>,
    /// Ids of versions whose removal for good was notified.
    pub(super) removed: Vec<String>,
}

/// Whether it is no state of its key, but ends one version of it.
pub(super) fn is_removal(event: &Event) -> bool {
    event.event_name == "ObjectRemoved:Delete" && event.version_id != "null"
}

/// A source, as a buffer or Lambda's own queue is one.
#[derive(Debug, Default)]
pub(super) struct Source {
    waiting: Vec<Notification>,
}

impl Source {
    /// Of these.
    pub(super) fn of(waiting: Vec<Notification>) -> Self {
        Self { waiting }
    }

    /// All notifications of some traffic, and what must come of each key.
    pub(super) fn draw(traffic: &Traffic, random: &mut fastrand::Rng) -> (Self, Vec<Must>) {
        let mut at = Instant::now();
        let mut changes: Vec<(usize, Event, Instant)> = Vec::new();
        let keys = usize::try_from(traffic.keys).unwrap_or(0);
        let mut must = vec![Must::default(); keys];
        let mut there = vec![Versions::default(); keys];
        for number in 0..traffic.changes {
            at += Duration::from_millis(random.u64(0..=traffic.pause_ms));
            let key = random.usize(0..keys);
            let event = there[key].change(key, number, random);
            if !is_removal(&event) {
                must[key].last = Some(event.clone());
            }
            changes.push((key, event, at));
        }
        let mut source = Self::default();
        for (key, event, at) in changes {
            let last = must[key].last.as_ref();
            let is_last = last.is_some_and(|last| last.sequencer == event.sequencer);
            if !is_last && random.u64(0..10) < traffic.lost_of_ten {
                continue;
            }
            if is_removal(&event) {
                must[key].removed.push(event.version_id.clone());
            }
            let twice = random.u64(0..10) < traffic.doubled_of_ten;
            for _ in 0..=u64::from(twice) {
                let delay = Duration::from_millis(random.u64(0..=traffic.delay_ms));
                source.waiting.push(Notification {
                    event: event.clone(),
                    due: at + delay,
                    tries: 0,
                });
            }
        }
        (source, must)
    }

    /// Takes up to `most` notifications that are due, in any order.
    pub(super) fn take(&mut self, most: usize, random: &mut fastrand::Rng) -> Vec<Notification> {
        let now = Instant::now();
        let (mut due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|notification| notification.due <= now);
        random.shuffle(&mut due);
        self.waiting = waiting;
        let rest = due.split_off(most.min(due.len()));
        self.waiting.extend(rest);
        due
    }

    /// These were not done: they come again.
    pub(super) fn put_back(&mut self, notifications: Vec<Notification>, delay: Duration) {
        let due = Instant::now() + delay;
        let again = notifications.into_iter().map(|notification| Notification {
            due,
            tries: notification.tries + 1,
            ..notification
        });
        self.waiting.extend(again);
    }

    /// When the next one may be taken.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|one| one.due).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A key's versions.
#[derive(Debug, Clone, Default)]
struct Versions {
    there: Vec<String>,
    removed: usize,
}

impl Versions {
    /// A put, a delete, or the removal of a version for good: often of an old one, as rules remove it, or of the
    /// newest. Of versions with the id `null` there is one at most.
    fn change(&mut self, key: usize, number: u64, random: &mut fastrand::Rng) -> Event {
        let may_remove = !self.there.is_empty() && self.removed < MOST_REMOVED;
        let (version, kind, name) = match random.u8(0..6) {
            0 | 1 if may_remove => {
                let newest = self.there.len() - 1;
                let place = [0, newest, random.usize(0..=newest)][random.usize(0..3)];
                self.removed += 1;
                let version = self.there.remove(place);
                (version, Change::Deleted, "ObjectRemoved:Delete")
            }
            2 => {
                let version = self.add(number, random);
                (
                    version,
                    Change::Removed,
                    "ObjectRemoved:DeleteMarkerCreated",
                )
            }
            _ => {
                let version = self.add(number, random);
                (version, Change::Created, "ObjectCreated:Put")
            }
        };
        event(key, (number, version), kind, name, random)
    }

    fn add(&mut self, number: u64, random: &mut fastrand::Rng) -> String {
        let version = match random.u8(0..6) {
            0 => "null".to_owned(),
            _ => format!("v{number}"),
        };
        self.there.retain(|other| *other != version);
        self.there.push(version.clone());
        version
    }
}

fn event(
    key: usize,
    (number, version_id): (u64, String),
    kind: Change,
    name: &str,
    random: &mut fastrand::Rng,
) -> Event {
    let key = format!("k{key}");
    // S3's are of different lengths: the shorter is padded with zeros on the right.
    let sequencer = format!("{:010X}", number + 1);
    let sequencer = match random.u8(0..3) {
        0 => sequencer.trim_end_matches('0').to_owned(),
        _ => sequencer,
    };
    Event {
        sequencer: Some(sequencer),
        ..Event::new(
            Path::Realtime,
            "ledger",
            key,
            version_id,
            (kind, name),
            BEGIN,
        )
    }
}
