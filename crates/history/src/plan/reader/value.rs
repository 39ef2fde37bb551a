//! Values of a run's columns, as what they stand for. Parquet's numbers have signs, also where a plan's have none. No
//! I/O.

use bridge_core::listing::version::MOST_TEXT;
use bridge_core::timestamp::Timestamp;
use parquet::data_type::ByteArray;

/// Bytes of a version id as it stands in a run: a job files a number in front of it, for a while (`scan/adopt/by_key.rs`).
const MOST_ID: usize = MOST_TEXT + 32;

/// A text in memory of its own; the page that it was a part of may be much larger.
///
/// # Errors
/// It is too long, or no UTF-8.
pub(super) fn text(bytes: &ByteArray) -> Result<String, String> {
    text_of_at_most(MOST_TEXT, bytes)
}

/// A version id, or what a job files as one.
///
/// # Errors
/// As [`text`]'s.
pub(super) fn id(bytes: &ByteArray) -> Result<String, String> {
    text_of_at_most(MOST_ID, bytes)
}

fn text_of_at_most(most: usize, bytes: &ByteArray) -> Result<String, String> {
    if bytes.len() > most {
        let found = bytes.len();
        return Err(format!("a text has {found} bytes, allowed are {MOST_TEXT}"));
    }
    bytes
        .as_utf8()
        .map(str::to_owned)
        .map_err(|e| e.to_string())
}

/// A rank, or a number of bytes.
///
/// # Errors
/// It is below zero.
pub(super) fn unsigned(number: i64) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("found {number}, allowed is 0 and more"))
}

/// A time of milliseconds since 1970.
///
/// # Errors
/// No text can tell it, and what is sent is a text.
pub(super) fn time(millis: i64) -> Result<Timestamp, String> {
    let time = Timestamp(millis);
    if time.is_told() {
        return Ok(time);
    }
    Err(format!(
        "found {millis}, allowed are milliseconds since 1970 up to the year 9999"
    ))
}
