//! Records of what heals: the keys that lack something, and what is sent of them.

use bridge_core::listing::version::PlannedVersion;

use crate::verify::part::{push_key, push_place, take_key, take_place};
use crate::verify::record::Record;

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
