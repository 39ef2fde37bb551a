//! Rows that are known by their numbers.

use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;

/// A key as long as usual, that does not compress much.
fn key(number: u64) -> String {
    let text = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{text:016x}/data/{:016x}.json", text.rotate_left(29))
}

/// Row `number` of a plan is at second `number`.
pub(crate) fn row(number: u64) -> PlannedVersion {
    let time = Timestamp(number.cast_signed() * 1000);
    PlannedVersion {
        effective_time: time,
        rank: 0,
        version: ObjectVersion {
            key: key(number),
            version_id: format!("{:032x}", number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            last_modified: time,
            is_latest: true,
            is_delete_marker: false,
            size: Some(number),
            e_tag: Some(format!("{:032x}", !number)),
        },
    }
}
