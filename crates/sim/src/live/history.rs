//! What writers do to a bucket while notifications are on their way: overwrites in one second, deletes and
//! undeletes, uploads in parts, lifecycle rules. All of it is drawn before it happens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::event::{Change, Event, Source};
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::ObjectVersion;
use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use tokio::time::Instant;

use crate::bucket::{STYLE, write_entry};
use crate::faults::{Faults, Strike};
use crate::live::source::Notification;
use crate::live::source::Traffic;
use crate::world::BEGIN;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A version or a marker, from its coming to its removal.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) id: String,
    pub(super) is_delete_marker: bool,
    pub(super) is_upload: bool,
    /// As listed: whole seconds; older than its coming for uploads and lifecycle's markers.
    pub(super) last_modified: Timestamp,
    /// By this it stands among the key's: the time of its coming, or when its upload began.
    began: Timestamp,
    pub(super) e_tag: Option<String>,
    /// When it came.
    pub(super) came: Timestamp,
    /// When it was removed for good, or replaced in place.
    pub(super) gone: Option<Timestamp>,
}

/// A key's lives, in the order in which the bucket lists them, oldest first.
pub(super) type History = Vec<Life>;

/// All keys' histories.
#[derive(Debug)]
pub(super) struct Histories {
    pub(super) keys: Vec<History>,
    begin: Instant,
}

/// What notifications may do, beside what [`Traffic`] says.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Of 10 changes, how many are uploads in parts.
    pub uploads_of_ten: u64,
    /// Of 10 changes, how many remove a version for good.
    pub removals_of_ten: u64,
    /// Versioning is suspended: `null` versions are replaced in place.
    pub is_suspended: bool,
    /// Entries of a page.
    pub page_size: usize,
    /// Deletions may be lost, and uploads.
    pub all_may_be_lost: bool,
}

/// The name of a key by its number.
pub(super) fn name(key: usize) -> String {
    format!("k{key}")
}

impl Life {
    /// Whether it may be listed with an older time than that of its coming.
    pub(super) fn is_dated_back(&self) -> bool {
        self.is_upload || self.is_delete_marker && self.last_modified.0 % DAY == 0
    }

    pub(super) fn is_there(&self, now: Timestamp) -> bool {
        self.came <= now && self.gone.is_none_or(|gone| now < gone)
    }
}

/// Draws all changes, and their notifications.
pub(super) fn draw(
    traffic: &Traffic,
    habits: &Habits,
    random: &mut fastrand::Rng,
) -> (Histories, Vec<Notification>) {
    let begin = Instant::now();
    let keys = usize::try_from(traffic.keys).unwrap_or(1);
    let mut histories = vec![History::new(); keys];
    let mut events: Vec<(usize, Event)> = Vec::new();
    let mut now = BEGIN;
    for number in 0..traffic.changes {
        now = now + Duration::from_millis(random.u64(0..=traffic.pause_ms));
        let key = random.usize(0..keys);
        let history = &mut histories[key];
        let event = if random.u64(0..10) < habits.removals_of_ten {
            remove(history, key, now, random)
        } else {
            None
        };
        let event = event.unwrap_or_else(|| add(history, key, (number, now), habits, random));
        events.push((key, event));
    }
    let mut notifications = Vec::new();
    for (place, (key, event)) in events.iter().enumerate() {
        let is_last = !events[place + 1..].iter().any(|(other, _)| other == key);
        let is_upload = event.event_name.ends_with("Upload");
        let is_removal = event.change() == Some(Change::Deleted);
        let may_be_lost = !is_last && (habits.all_may_be_lost || !is_upload && !is_removal);
        if may_be_lost && random.u64(0..10) < traffic.lost_of_ten {
            continue;
        }
        let twice = random.u64(0..10) < traffic.doubled_of_ten;
        for _ in 0..=u64::from(twice) {
            let delay = Duration::from_millis(random.u64(0..=traffic.delay_ms));
            notifications.push(Notification {
                event: event.clone(),
                due: begin + event.event_time.since(BEGIN) + delay,
                tries: 0,
            });
        }
    }
    let histories = Histories {
        keys: histories,
        begin,
    };
    (histories, notifications)
}

/// Removes a version that is there, for good; where there is none, nothing.
fn remove(
    history: &mut History,
    key: usize,
    now: Timestamp,
    random: &mut fastrand::Rng,
) -> Option<Event> {
    let mut there: Vec<&mut Life> = history
        .iter_mut()
        .filter(|life| life.is_there(now) && life.id != "null")
        .collect();
    // Often the newest: undeletes.
    let place = match random.u8(0..2) {
        0 => there.len().checked_sub(1)?,
        _ => random.usize(0..there.len().max(1)),
    };
    let life = there.get_mut(place)?;
    life.gone = Some(now);
    let by_lifecycle = !life.is_delete_marker && random.bool();
    let name = if by_lifecycle {
        "LifecycleExpiration:Delete"
    } else {
        "ObjectRemoved:Delete"
    };
    let id = life.id.clone();
    Some(event(key, &id, name, Change::Deleted, now, None))
}

/// Adds a version or a marker.
fn add(
    history: &mut History,
    key: usize,
    (number, now): (u64, Timestamp),
    habits: &Habits,
    random: &mut fastrand::Rng,
) -> Event {
    let is_null = habits.is_suspended && random.bool();
    let is_upload = random.u64(0..10) < habits.uploads_of_ten;
    let is_delete_marker = !is_upload && random.u8(0..5) == 0;
    // Two `null` markers of one second could not be told apart; and a page that begins behind a `null` version
    // which an older upload has replaced meanwhile begins behind that one.
    let is_null = is_null && !is_delete_marker && !is_upload;
    let by_lifecycle = is_delete_marker && random.u8(0..3) == 0;
    let began = if is_upload {
        now - Duration::from_millis([1, 1_500, 30_000, 600_000][random.usize(0..4)])
    } else {
        now
    };
    let day = if by_lifecycle { DAY } else { 1000 };
    let last_modified = Timestamp(began.0 - began.0.rem_euclid(day));
    let id = if is_null {
        "null".to_owned()
    } else {
        // Ids that do not sort by age, as S3's do not.
        format!("{:04x}.{number}", number.wrapping_mul(40_503) & 0xffff)
    };
    if is_null {
        for life in history.iter_mut().filter(|life| life.id == "null") {
            life.gone.get_or_insert(now);
        }
    }
    let dash = if is_upload { "-2" } else { "" };
    let e_tag = (!is_delete_marker).then(|| format!("{number:032x}{dash}"));
    let (name, change) = match (is_delete_marker, by_lifecycle, is_upload) {
        (true, true, _) => ("LifecycleExpiration:DeleteMarkerCreated", Change::Removed),
        (true, false, _) => ("ObjectRemoved:DeleteMarkerCreated", Change::Removed),
        (false, _, true) => ("ObjectCreated:CompleteMultipartUpload", Change::Created),
        (false, _, false) => ("ObjectCreated:Put", Change::Created),
    };
    let event = event(key, &id, name, change, now, e_tag.clone());
    let place = history
        .iter()
        .rposition(|other| other.began <= began)
        .map_or(0, |place| place + 1);
    let life = Life {
        id,
        is_delete_marker,
        is_upload,
        last_modified,
        began,
        e_tag,
        came: now,
        gone: None,
    };
    history.insert(place, life);
    event
}

fn event(
    key: usize,
    version_id: &str,
    event_name: &str,
    change: Change,
    event_time: Timestamp,
    e_tag: Option<String>,
) -> Event {
    let what = (change, event_name);
    let (source, key) = (Source::Realtime, name(key));
    Event {
        e_tag,
        ..Event::new(source, "ledger", key, version_id, what, event_time)
    }
}

/// The bucket as it is at the moment of each request.
pub(super) struct LiveBucket {
    pub(super) histories: Arc<Histories>,
    pub(super) page_size: usize,
    pub(super) faults: Arc<Faults>,
}

impl Histories {
    fn now(&self) -> Timestamp {
        BEGIN + self.begin.elapsed()
    }

    /// One page: of keys from the marker's on, each key's newest first. Where the marker's version stood is
    /// known although it may be gone.
    fn page(&self, prefix: &str, marker: Option<&Marker>, page_size: usize) -> String {
        let now = self.now();
        let mut names: Vec<(String, usize)> =
            (0..self.keys.len()).map(|key| (name(key), key)).collect();
        names.sort();
        let mut rows: Vec<(&str, &Life, bool)> = Vec::new();
        for (name, key) in &names {
            let is_wanted = name.starts_with(prefix) && marker.is_none_or(|m| *name >= m.key);
            if !is_wanted {
                continue;
            }
            let of_marker = marker.filter(|marker| marker.key == *name);
            let lives = self.keys[*key].iter().rev();
            let behind = match of_marker.and_then(|marker| marker.version_id.as_ref()) {
                None => 0,
                Some(id) => {
                    // Of several `null` versions one after the other, the one that is there.
                    let is_it = |life: &&Life| life.id == *id && life.came <= now;
                    let there = lives.clone().position(|l| is_it(&l) && l.is_there(now));
                    let was = || lives.clone().position(|l| is_it(&l));
                    there.or_else(was).map_or(0, |place| place + 1)
                }
            };
            let newest = lives.clone().position(|life| life.is_there(now));
            for (place, life) in lives.enumerate().skip(behind) {
                if life.is_there(now) {
                    rows.push((name, life, Some(place) == newest));
                }
            }
        }
        let mut xml = String::from("<ListVersionsResult><EncodingType>url</EncodingType>");
        let is_truncated = rows.len() > page_size;
        xml.push_str(if is_truncated {
            "<IsTruncated>true</IsTruncated>"
        } else {
            "<IsTruncated>false</IsTruncated>"
        });
        for (key, life, is_latest) in rows.into_iter().take(page_size) {
            let version = ObjectVersion {
                key: key.to_owned(),
                version_id: life.id.clone(),
                last_modified: life.last_modified,
                is_latest,
                is_delete_marker: life.is_delete_marker,
                size: (!life.is_delete_marker).then_some(1),
                e_tag: life.e_tag.clone(),
            };
            write_entry(&mut xml, &version, is_latest, STYLE);
        }
        xml.push_str("</ListVersionsResult>");
        xml
    }
}

#[async_trait]
impl Lister for LiveBucket {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let strike = self.faults.strike().await;
        if strike != Strike::None {
            return Err(ListError {
                kind: strike.kind(),
                code: "SlowDown".to_owned(),
                message: "simulated".to_owned(),
            });
        }
        let page = (self.histories).page(prefix, marker, self.page_size);
        Ok(Bytes::from(page))
    }
}
