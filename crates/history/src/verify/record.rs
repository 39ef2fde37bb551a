//! A row of the plan, or an event of a consumer's file, as bytes that sort by key and version.
//!
//! `key version side kind [change arrival] facts`: what comes in front of the facts is written so that its bytes
//! compare as it does. Of one version the bucket's row comes first, then its removals for good, then what was seen
//! of its coming: each change in the order in which it arrived.

use bridge_core::event::Change;
use bridge_core::listing::version::{ObjectVersion, PlannedRef, PlannedVersion};
use bridge_core::timestamp::Timestamp;

use crate::verify::number::push_number;
use crate::verify::part::{
    push_key, push_place, push_tag, push_time, tag_text, take_byte, take_key, take_number,
    take_place, take_time, text,
};

const HAS_SIZE: u8 = 1;
const HAS_E_TAG: u8 = 2;
/// Of a row.
const IS_LATEST: u8 = 4;
/// Of an event: its time is the version's `LastModified`.
const TIME_IS_LISTED: u8 = 4;
/// Of an event: its `eventId` is that of the change it tells.
const ID_IS_RIGHT: u8 = 8;

/// Where an event stands in a consumer's file: its line, and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival(pub u64);

/// Bits for the place in a line.
const PLACE_BITS: u32 = 20;

impl Arrival {
    /// Event `place` (from 0) of line `line` (from 1); `None` for more than a line has room for.
    #[must_use]
    pub fn new(line: u64, place: u64) -> Option<Self> {
        let has_room = place < 1 << PLACE_BITS && line < 1 << (64 - PLACE_BITS);
        has_room.then_some(Self(line << PLACE_BITS | place))
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(self) -> u64 {
        self.0 >> PLACE_BITS
    }
}

/// An event of a consumer's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Decoded key.
    pub key: &'a str,
    /// Its version; `"null"` where it has none.
    pub version_id: &'a str,
    /// What happened.
    pub change: Change,
    /// Tells overwrites of an object without versions apart; else empty.
    pub overwrite: &'a str,
    /// Where it stands.
    pub arrival: Arrival,
    /// `eventTime`.
    pub time: Timestamp,
    /// Whether that is the version's `LastModified`.
    pub time_is_listed: bool,
    /// Whether its `eventId`, if it has one, is that of this change.
    pub id_is_right: bool,
    /// Bytes.
    pub size: Option<u64>,
    /// Without quotes.
    pub e_tag: Option<&'a str>,
}

impl Seen<'_> {
    /// Writes it as a record.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.clear();
        push_key(to, self.key);
        push_key(to, self.version_id);
        let side = if self.change == Change::Deleted {
            Side::Removed
        } else {
            Side::Seen
        };
        to.extend([side as u8, self.change as u8]);
        push_key(to, self.overwrite);
        push_place(to, self.arrival.0);
        let flags = [
            (self.time_is_listed, TIME_IS_LISTED),
            (self.id_is_right, ID_IS_RIGHT),
        ];
        let flags = flags
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, flag)| flag)
            .sum();
        push_facts(to, flags, self.time, self.size, self.e_tag);
    }
}

/// Writes a row of the plan as a record.
pub fn write_row(row: &PlannedRef<'_>, to: &mut Vec<u8>) {
    to.clear();
    let version = row.version;
    push_key(to, version.key);
    push_key(to, version.version_id);
    to.extend([Side::Bucket as u8, row.change() as u8]);
    push_number(to, row.rank);
    push_time(to, row.effective_time);
    let flags = if version.is_latest { IS_LATEST } else { 0 };
    push_facts(
        to,
        flags,
        version.last_modified,
        version.size,
        version.e_tag,
    );
}

/// What a record is of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Bucket = 0,
    Removed = 1,
    Seen = 2,
}

/// A record, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// As it sorts.
    pub(super) key: &'a [u8],
    /// As it sorts.
    pub(super) version: &'a [u8],
    pub(super) change: Change,
    pub(super) of: Of<'a>,
    pub(super) facts: Facts<'a>,
}

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    Bucket {
        rank: u64,
        effective_time: Timestamp,
    },
    Consumer {
        /// As it sorts.
        overwrite: &'a [u8],
        arrival: Arrival,
    },
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    flags: u8,
    pub(super) time: Timestamp,
    pub(super) size: Option<u64>,
    /// Written shorter; equal for equal tags.
    pub(super) e_tag: Option<&'a [u8]>,
}

impl Facts<'_> {
    pub(super) fn is_latest(&self) -> bool {
        self.flags & IS_LATEST != 0
    }

    pub(super) fn time_is_listed(&self) -> bool {
        self.flags & TIME_IS_LISTED != 0
    }

    pub(super) fn id_is_right(&self) -> bool {
        self.flags & ID_IS_RIGHT != 0
    }
}

impl<'a> Record<'a> {
    /// Reads what was written.
    ///
    /// # Panics
    /// For anything else: files of this process hold nothing else, and their lengths are checked.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut rest = bytes;
        let (key, version) = (take_key(&mut rest), take_key(&mut rest));
        let (whose, change) = (take_byte(&mut rest), take_byte(&mut rest));
        let change = match change {
            0 => Change::Created,
            1 => Change::Removed,
            _ => Change::Deleted,
        };
        let of = if whose == Side::Bucket as u8 {
            Of::Bucket {
                rank: take_number(&mut rest),
                effective_time: take_time(&mut rest),
            }
        } else {
            Of::Consumer {
                overwrite: take_key(&mut rest),
                arrival: Arrival(take_place(&mut rest)),
            }
        };
        let flags = take_byte(&mut rest);
        let time = take_time(&mut rest);
        let size = (flags & HAS_SIZE != 0).then(|| take_number(&mut rest));
        let e_tag = (flags & HAS_E_TAG != 0).then_some(rest);
        Self {
            key,
            version,
            change,
            of,
            facts: Facts {
                flags,
                time,
                size,
                e_tag,
            },
        }
    }

    /// The row that was written.
    pub(super) fn row(&self) -> Option<PlannedVersion> {
        let Of::Bucket {
            rank,
            effective_time,
        } = self.of
        else {
            return None;
        };
        Some(PlannedVersion {
            effective_time,
            rank,
            version: ObjectVersion {
                key: text(self.key),
                version_id: text(self.version),
                last_modified: self.facts.time,
                is_latest: self.facts.is_latest(),
                is_delete_marker: self.change == Change::Removed,
                size: self.facts.size,
                e_tag: self.facts.e_tag.map(tag_text),
            },
        })
    }
}

fn push_facts(
    to: &mut Vec<u8>,
    flags: u8,
    time: Timestamp,
    size: Option<u64>,
    e_tag: Option<&str>,
) {
    let has_size = if size.is_some() { HAS_SIZE } else { 0 };
    let has_tag = if e_tag.is_some() { HAS_E_TAG } else { 0 };
    to.push(flags | has_size | has_tag);
    push_time(to, time);
    if let Some(size) = size {
        push_number(to, size);
    }
    if let Some(tag) = e_tag {
        push_tag(to, tag);
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::version::VersionRef;
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn seen_parts()(
            key in "[\u{0}\u{1}a-c\u{ff}]{0,4}", version in "[\u{0}a-c]{0,3}", overwrite in "[a-c]{0,2}",
            number in 0u8..3, arrival: u64, time: i64, size: Option<u64>,
            tag in prop::option::of("[0-9a-f]{4}|[0-9A-F]{3,4}|\"x"), listed: bool, right: bool,
        ) -> (String, String, String, Change, u64, i64, Option<u64>, Option<String>, (bool, bool)) {
            let change = [Change::Created, Change::Removed, Change::Deleted][usize::from(number)];
            (key, version, overwrite, change, arrival, time, size, tag, (listed, right))
        }
    }

    proptest! {
        #[test]
        fn records_of_events_read_back_and_sort_by_key_version_and_arrival(
            parts in prop::collection::vec(seen_parts(), 1..20)
        ) {
            let mut records = vec![];
            for (key, version_id, overwrite, change, arrival, time, size, tag, (listed, right)) in &parts {
                let seen = Seen {
                    key, version_id, overwrite, change: *change, arrival: Arrival(*arrival),
                    time: Timestamp(*time), time_is_listed: *listed, id_is_right: *right,
                    size: *size, e_tag: tag.as_deref(),
                };
                let mut bytes = vec![];
                seen.write(&mut bytes);
                let record = Record::read(&bytes);
                let Of::Consumer { overwrite: found, arrival } = record.of else {
                    panic!("it is an event");
                };
                prop_assert_eq!((text(record.key), text(record.version)), (key.clone(), version_id.clone()));
                prop_assert_eq!((text(found), arrival), (overwrite.clone(), seen.arrival));
                let facts = record.facts;
                prop_assert_eq!((record.change, facts.time, facts.size), (*change, seen.time, *size));
                prop_assert_eq!(facts.e_tag.map(tag_text), tag.clone());
                prop_assert_eq!((facts.time_is_listed(), facts.id_is_right()), (*listed, *right));
                let is_deleted = *change == Change::Deleted;
                let order = (
                    key.as_bytes().to_vec(), version_id.as_bytes().to_vec(), !is_deleted, *change as u8,
                    overwrite.clone(), seen.arrival,
                );
                records.push((bytes, order));
            }
            for (a, a_order) in &records {
                for (b, b_order) in &records {
                    if a_order != b_order {
                        prop_assert_eq!(a.cmp(b), a_order.cmp(b_order));
                    }
                }
            }
        }

        #[test]
        fn a_row_reads_back_and_comes_before_its_events(
            key in "[\u{0}a]{0,3}", rank: u64, effective: i64, listed: i64, latest: bool, marker: bool,
            size: Option<u64>, tag in prop::option::of("[0-9a-f]{32}|[a-z]{3}-2")
        ) {
            let version = VersionRef {
                key: &key, version_id: "v", last_modified: Timestamp(listed), is_latest: latest,
                is_delete_marker: marker, size, e_tag: tag.as_deref(),
            };
            let row = PlannedRef { effective_time: Timestamp(effective), rank, version };
            let (mut bytes, mut event) = (vec![], vec![]);
            write_row(&row, &mut bytes);
            let read = Record::read(&bytes).row().unwrap();
            prop_assert_eq!(read.borrowed(), row);
            let seen = Seen {
                key: &key, version_id: "v", change: Change::Deleted, overwrite: "", arrival: Arrival(0),
                time: Timestamp(0), time_is_listed: false, id_is_right: true, size: None, e_tag: None,
            };
            seen.write(&mut event);
            prop_assert!(bytes < event);
        }
    }

    #[test]
    fn an_arrival_tells_its_line() {
        let arrival = Arrival::new(50_000_000, 7).unwrap();
        assert_eq!(arrival.line(), 50_000_000);
        assert!(arrival < Arrival::new(50_000_000, 8).unwrap());
        assert!(arrival < Arrival::new(50_000_001, 0).unwrap());
        assert_eq!(Arrival::new(1, 1 << 20), None);
    }
}
