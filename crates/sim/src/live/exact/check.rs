//! What must have come of a key: its history, in the bucket's order.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use bridge_core::event::{Change, Event};
use bridge_core::timestamp::Timestamp;

use crate::live::history::{Histories, History, Life, name};
use crate::live::source::Notification;

/// A version may have been listed so long before it arrived.
const MOST_ON_ITS_WAY: Duration = Duration::from_mins(3);

/// What the scenario allows.
pub(super) struct Expected {
    /// Where the stream begins.
    pub(super) boundary: Timestamp,
    /// A job has sent what was before it.
    pub(super) is_planned: bool,
    /// Calls failed or invocations were killed: runs may have been repeated.
    pub(super) has_faults: bool,
    /// When all was over.
    pub(super) end: Timestamp,
}

/// A message of a key.
enum Told {
    /// A version or a marker, by its place in the history, and when it came.
    Version(usize, Timestamp),
    /// A removal for good.
    Removal(String),
}

/// Shows history and stream (what was sent, and when), and tells what is wrong with them.
pub(super) fn check(
    histories: &Histories,
    notifications: &[Notification],
    sent: &[(Timestamp, Event)],
    expected: &Expected,
) -> (String, Option<String>) {
    let mut trace = String::new();
    let mut wrong = None;
    for (key, history) in histories.keys.iter().enumerate() {
        let key = name(key);
        let of_key = sent.iter().filter(|(_, event)| event.key == key);
        let told: Vec<Told> = of_key
            .map(|(at, event)| told(history, *at, event))
            .collect();
        show(&mut trace, &key, history, &told);
        let notified = |event: &&Notification| event.event.key == key;
        let removals: Vec<&Event> = notifications
            .iter()
            .filter(notified)
            .map(|one| &one.event)
            .filter(|event| event.change() == Some(Change::Deleted))
            .collect();
        let reported: Vec<&Event> = notifications
            .iter()
            .filter(notified)
            .map(|one| &one.event)
            .collect();
        let found = check_key(history, &told, (&removals, &reported), expected);
        wrong = wrong.or(found.map(|found| format!("{key}: {found}")));
    }
    (trace, wrong)
}

fn told(history: &History, at: Timestamp, event: &Event) -> Told {
    if event.change() == Some(Change::Deleted) {
        return Told::Removal(event.version_id.clone());
    }
    let place = history.iter().position(|life| {
        life.id == event.version_id
            && life.is_delete_marker == (event.change() == Some(Change::Removed))
            && (life.id != "null" || life.e_tag == event.e_tag && is_its_time(life, event))
    });
    place.map_or_else(
        || Told::Removal(format!("unknown {event:?}")),
        |place| Told::Version(place, at),
    )
}

/// `null` markers have no eTag: time tells them apart, of the notification or of the listing.
fn is_its_time(life: &Life, event: &Event) -> bool {
    life.e_tag.is_some() || event.event_time == life.came || event.event_time == life.last_modified
}

fn show(trace: &mut String, key: &str, history: &History, told: &[Told]) {
    let _ = writeln!(trace, "{key}: history");
    for (place, life) in history.iter().enumerate() {
        let kind = match (life.is_delete_marker, life.is_upload) {
            (true, _) => "marker",
            (_, true) => "upload",
            _ => "version",
        };
        let (id, came, gone) = (&life.id, life.came.0, life.gone.map(|gone| gone.0));
        let modified = life.last_modified.0;
        let _ = writeln!(
            trace,
            "  {place}: {kind} {id} came {came} modified {modified} gone {gone:?}"
        );
    }
    let _ = writeln!(trace, "{key}: stream");
    for one in told {
        let _ = match one {
            Told::Version(place, at) => writeln!(trace, "  {place} at {}", at.0),
            Told::Removal(id) => writeln!(trace, "  removal of {id}"),
        };
    }
}

fn check_key(
    history: &History,
    told: &[Told],
    (removals, reported): (&[&Event], &[&Event]),
    expected: &Expected,
) -> Option<String> {
    let is_ours = |life: &Life| life.came >= expected.boundary;
    let is_there = |life: &Life| life.is_there(expected.end);
    let versions: Vec<(usize, Timestamp)> = told
        .iter()
        .filter_map(|one| match one {
            Told::Version(place, at) => Some((*place, *at)),
            Told::Removal(_) => None,
        })
        .collect();
    let has_dated_back = history.iter().any(Life::is_dated_back);
    let is_reported = |life: &Life| {
        let mut reported = reported.iter();
        reported.any(|event| {
            (&event.version_id, event.event_time, &event.e_tag)
                == (&life.id, life.came, &life.e_tag)
        })
    };
    if expected.is_planned && !has_dated_back {
        let planned = |life: &Life| !is_ours(life) && !life.is_delete_marker;
        if let Some((place, _)) = versions.iter().find(|(place, _)| planned(&history[*place])) {
            return Some(format!("{place} is in the plan, and sent again"));
        }
    }
    let stream: Vec<(usize, Timestamp)> = versions
        .into_iter()
        .filter(|(place, _)| is_ours(&history[*place]))
        .collect();
    for (place, life) in history.iter().enumerate() {
        let is_told = stream.iter().any(|(other, _)| *other == place);
        // Dated before the stream began, and never reported: nobody can know.
        let can_be_known = life.last_modified >= expected.boundary || is_reported(life);
        if is_ours(life) && is_there(life) && can_be_known && !is_told {
            return Some(format!("{place} is missing"));
        }
    }
    let mut times: HashMap<usize, u32> = HashMap::new();
    let mut before: Option<usize> = None;
    for (place, at) in &stream {
        let life = &history[*place];
        let count = times.entry(*place).or_default();
        *count += 1;
        let goes_back = before.is_some_and(|before| *place <= before);
        let may_go_back = expected.has_faults || life.is_dated_back();
        if goes_back && !may_go_back {
            return Some(format!("{place} comes behind {before:?}"));
        }
        if !goes_back {
            let first = before.map_or(0, |before| before + 1);
            // Before the stream's own first version nothing is certain but what must be there at the end.
            let skipped = (first..*place)
                .filter(|_| before.is_some())
                .find(|skipped| {
                    is_ours(&history[*skipped]) && must_precede(&history[*skipped], *at)
                });
            if let Some(skipped) = skipped {
                return Some(format!(
                    "{place} comes behind {before:?}, and {skipped} was there"
                ));
            }
        }
        before = Some(*place);
    }
    let repeated = times.iter().find(|(_, count)| **count > 1);
    let may_repeat = expected.has_faults || has_dated_back;
    if let Some((place, count)) = repeated.filter(|_| !may_repeat) {
        return Some(format!("{place} comes {count} times"));
    }
    let newest = history.iter().rposition(is_there);
    let last = stream
        .iter()
        .rev()
        .find(|(place, _)| is_there(&history[*place]));
    if let (Some(newest), Some((last, _))) = (newest, last)
        && is_ours(&history[newest])
        && *last != newest
    {
        return Some(format!("it ends with {last}, not with {newest}"));
    }
    for removal in removals {
        let id = &removal.version_id;
        let is_of = |one: &Told| matches!(one, Told::Removal(other) if other == id);
        let is_version = |one: &Told| matches!(one, Told::Version(place, _) if history[*place].id == *id && is_ours(&history[*place]));
        let Some(removed) = told.iter().position(is_of) else {
            return Some(format!("the removal of {id} is missing"));
        };
        if told[removed..].iter().any(is_version) {
            return Some(format!("{id} comes back behind its removal"));
        }
    }
    None
}

/// Whether a version must have been sent before a newer one that arrived at this time.
fn must_precede(life: &Life, at: Timestamp) -> bool {
    let was_there = life.came + MOST_ON_ITS_WAY < at || !life.is_upload;
    was_there && life.gone.is_none_or(|gone| gone > at)
}
