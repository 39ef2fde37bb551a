//! Notifications on their way: late, swapped, twice or lost, and again while nobody takes them.

use std::time::Duration;

use bridge_core::event::{Change, Event, Source as Path};
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

    /// All notifications of some traffic, and of each key the sequencer of its last change.
    pub(super) fn draw(traffic: &Traffic, random: &mut fastrand::Rng) -> (Self, Vec<String>) {
        let mut at = Instant::now();
        let mut changes: Vec<(u64, Event, Instant)> = Vec::new();
        let mut last = vec![String::new(); usize::try_from(traffic.keys).unwrap_or(0)];
        for number in 0..traffic.changes {
            at += Duration::from_millis(random.u64(0..=traffic.pause_ms));
            let key = random.u64(0..traffic.keys);
            let event = change(key, number, random);
            let sequencer = event.sequencer.clone().unwrap_or_default();
            last[usize::try_from(key).unwrap_or(0)] = sequencer;
            changes.push((key, event, at));
        }
        let mut source = Self::default();
        for (key, event, at) in changes {
            let last = &last[usize::try_from(key).unwrap_or(0)];
            let is_last = event.sequencer.as_ref() == Some(last);
            if !is_last && random.u64(0..10) < traffic.lost_of_ten {
                continue;
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
        (source, last)
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

/// A put, a delete, or the removal of a version for good.
fn change(key: u64, number: u64, random: &mut fastrand::Rng) -> Event {
    let what = match random.u8(0..6) {
        0 => (Change::Removed, "ObjectRemoved:DeleteMarkerCreated"),
        1 => (Change::Deleted, "ObjectRemoved:Delete"),
        _ => (Change::Created, "ObjectCreated:Put"),
    };
    let (key, version) = (format!("k{key}"), format!("v{number}"));
    // S3's are of different lengths: the shorter is padded with zeros on the right.
    let sequencer = format!("{:010X}", number + 1);
    let sequencer = match random.u8(0..3) {
        0 => sequencer.trim_end_matches('0').to_owned(),
        _ => sequencer,
    };
    Event {
        sequencer: Some(sequencer),
        ..Event::new(Path::Realtime, "ledger", key, version, what, BEGIN)
    }
}
