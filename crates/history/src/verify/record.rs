//! A row of the plan, or an event of a consumer's file, as bytes that sort by key and version.
//!
//! `key version side kind [change arrival] facts`: what comes in front of the facts is written so that its bytes
//! compare as it does. Of one version the bucket's row comes first, then its removals for good, then what was seen
//! of its coming: each change in the order in which it arrived.

use bridge_core::event::Change;
use bridge_core::listing::version::{ObjectVersion, PlannedRef, PlannedVersion};
use bridge_core::timestamp::Timestamp;

use crate::verify::number::push_number;

/// Ends a text in a sort key. A zero byte of the text itself has a byte behind it that is larger.
const END: [u8; 2] = [0, 1];
const ZERO: [u8; 2] = [0, 0xFF];

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

/// A key that lacks its version of this rank: sorts by key.
pub(super) fn gap_record(key: &str, rank: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_key(&mut bytes, key);
    push_place(&mut bytes, rank);
    bytes
}

/// The key, as it sorts, and the rank.
pub(super) fn gap_of(mut bytes: &[u8]) -> (&[u8], u64) {
    let key = take_key(&mut bytes);
    (key, take_place(&mut bytes))
}

/// A row's record behind its place in a plan: sorts as a plan does.
pub(super) fn placed_record(row: &PlannedVersion, record: &[u8], to: &mut Vec<u8>) {
    to.clear();
    // Times before 1970 come first.
    let time = row.effective_time.0.cast_unsigned() ^ 1 << 63;
    to.extend(time.to_be_bytes());
    push_key(to, &row.version.key);
    push_place(to, row.rank);
    to.extend_from_slice(record);
}

/// The row of a [`placed_record`].
pub(super) fn placed_row(bytes: &[u8]) -> Option<PlannedVersion> {
    let mut rest = bytes.get(8..)?;
    take_key(&mut rest);
    take_place(&mut rest);
    Record::read(rest).row()
}

/// The text of a part of a sort key.
pub(super) fn text(sorted: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(sorted.len());
    let mut rest = sorted.iter();
    while let Some(byte) = rest.next() {
        bytes.push(*byte);
        if *byte == 0 {
            rest.next();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The two hexadecimal digits of a byte.
fn digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default())
}

/// A tag's text.
pub(super) fn tag_text(written: &[u8]) -> String {
    match written.split_first() {
        Some((1, pairs)) => pairs.iter().flat_map(|pair| digits(*pair)).collect(),
        Some((_, text)) => String::from_utf8_lossy(text).into_owned(),
        None => String::new(),
    }
}

fn push_key(to: &mut Vec<u8>, text: &str) {
    let mut parts = text.as_bytes().split(|byte| *byte == 0);
    to.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        to.extend(ZERO);
        to.extend_from_slice(part);
    }
    to.extend(END);
}

fn take_key<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let mut at = 0;
    loop {
        at += memchr::memchr(0, &from[at..]).expect("a text of a record has an end");
        if from[at + 1] == END[1] {
            break;
        }
        at += 2;
    }
    let (text, rest) = from.split_at(at);
    *from = &rest[2..];
    text
}

/// How many bytes, then these, the highest first: it sorts as the number.
fn push_place(to: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let length = bytes.len() - zeros;
    to.push(length.to_le_bytes()[0]);
    to.extend_from_slice(&bytes[zeros..]);
}

fn take_place(from: &mut &[u8]) -> u64 {
    let length = usize::from(take_byte(from));
    let (bytes, rest) = from.split_at(length);
    *from = rest;
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
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

/// Most tags are hexadecimal digits: they take half as much.
fn push_tag(to: &mut Vec<u8>, tag: &str) {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let begin = to.len();
    to.push(1);
    let (pairs, odd) = tag.as_bytes().as_chunks::<2>();
    for [high, low] in pairs {
        match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => to.push(high << 4 | low),
            _ => break,
        }
    }
    if to.len() - begin - 1 != pairs.len() || !odd.is_empty() {
        to.truncate(begin);
        to.push(0);
        to.extend_from_slice(tag.as_bytes());
    }
}

fn push_time(to: &mut Vec<u8>, time: Timestamp) {
    // Times before 1970 are odd numbers, so that small ones stay short.
    push_number(to, ((time.0 << 1) ^ (time.0 >> 63)).cast_unsigned());
}

fn take_time(from: &mut &[u8]) -> Timestamp {
    let number = take_number(from);
    Timestamp((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn take_number(from: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = take_byte(from);
        number |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return number;
        }
    }
}

fn take_byte(from: &mut &[u8]) -> u8 {
    let (byte, rest) = from
        .split_first()
        .expect("a record is read as it was written");
    *from = rest;
    *byte
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
