//! The parts of a record: texts, numbers and tags as bytes, read as they were written.

use bridge_core::timestamp::Timestamp;

use crate::verify::number::push_number;

/// Ends a text in a sort key. A zero byte of the text itself has a byte behind it that is larger.
const END: [u8; 2] = [0, 1];
const ZERO: [u8; 2] = [0, 0xFF];

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

pub(super) fn push_key(to: &mut Vec<u8>, text: &str) {
    let mut parts = text.as_bytes().split(|byte| *byte == 0);
    to.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        to.extend(ZERO);
        to.extend_from_slice(part);
    }
    to.extend(END);
}

pub(super) fn take_key<'a>(from: &mut &'a [u8]) -> &'a [u8] {
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
pub(super) fn push_place(to: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let length = bytes.len() - zeros;
    to.push(length.to_le_bytes()[0]);
    to.extend_from_slice(&bytes[zeros..]);
}

pub(super) fn take_place(from: &mut &[u8]) -> u64 {
    let length = usize::from(take_byte(from));
    let (bytes, rest) = from.split_at(length);
    *from = rest;
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Most tags are hexadecimal digits: they take half as much.
pub(super) fn push_tag(to: &mut Vec<u8>, tag: &str) {
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

pub(super) fn push_time(to: &mut Vec<u8>, time: Timestamp) {
    // Times before 1970 are odd numbers, so that small ones stay short.
    push_number(to, ((time.0 << 1) ^ (time.0 >> 63)).cast_unsigned());
}

pub(super) fn take_time(from: &mut &[u8]) -> Timestamp {
    let number = take_number(from);
    Timestamp((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

pub(super) fn take_number(from: &mut &[u8]) -> u64 {
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

pub(super) fn take_byte(from: &mut &[u8]) -> u8 {
    let (byte, rest) = from
        .split_first()
        .expect("a record is read as it was written");
    *from = rest;
    *byte
}
