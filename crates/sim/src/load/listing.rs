//! `ListObjectVersions`, and its pages of a synthetic bucket.

use std::fmt::Write as _;

use bridge_core::format::encode_key;
use bridge_core::timestamp::Timestamp;

use super::kinds::What;
use super::numbers::{Entry, mix};
use super::shape::Synthetic;

/// Bytes of the largest object, 50 TB.
/// Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
const LARGEST: u64 = 50 * 1024 * 1024 * 1024 * 1024;

/// A request's query.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// `prefix`
    pub prefix: String,
    /// `key-marker`
    pub key_marker: Option<String>,
    /// `version-id-marker`
    pub version_id_marker: Option<String>,
    /// `max-keys`, at most 1,000.
    pub max_keys: u64,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

/// What stands behind the entries.
const TAIL: &str = "</ListVersionsResult>";

/// One page, and how many versions it holds.
#[must_use]
pub fn page(bucket: &Synthetic, query: &Query) -> (String, u64) {
    let begin = begin(bucket, query);
    let most = begin.saturating_add(query.max_keys).min(bucket.versions);
    let is_asked = |number: u64| {
        let key = bucket.key(bucket.entry(number).key);
        key.starts_with(&query.prefix)
    };
    let truncated = most > begin && most < bucket.versions && is_asked(most);
    let next = truncated.then(|| {
        let entry = bucket.entry(most - 1);
        (bucket.key(entry.key), version_id(bucket, entry))
    });
    let mut xml = String::with_capacity(512 * 1024);
    write_head(&mut xml, query, next);
    let mut days = Days::default();
    let mut last: Option<(u64, String)> = None;
    let mut number = begin;
    while number < most {
        let entry = bucket.entry(number);
        let key = match last {
            Some((before, key)) if before == entry.key => key,
            _ => {
                let key = bucket.key(entry.key);
                if !key.starts_with(&query.prefix) {
                    break;
                }
                encoded(&key, query.url_encoded)
            }
        };
        write_entry(&mut xml, bucket, entry, &key, &mut days);
        last = Some((entry.key, key));
        number += 1;
    }
    xml.push_str(TAIL);
    (xml, number - begin)
}

/// The whole answer around the entries of a page; `next` is its last entry where more follow.
pub(super) fn document(query: &Query, entries: &str, next: Option<(String, String)>) -> String {
    let mut xml = String::with_capacity(entries.len() + 1024);
    write_head(&mut xml, query, next);
    xml.push_str(entries);
    xml.push_str(TAIL);
    xml
}

/// What stands before the entries. `next` is the page's last one if others follow: its key and version id.
fn write_head(xml: &mut String, query: &Query, next: Option<(String, String)>) {
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>load</Name>");
    if query.url_encoded {
        xml.push_str("<EncodingType>url</EncodingType>");
    }
    let _ = write!(
        xml,
        "<MaxKeys>{}</MaxKeys><IsTruncated>{}</IsTruncated>",
        query.max_keys,
        next.is_some()
    );
    if let Some((key, version_id)) = next {
        let key = encoded(&key, query.url_encoded);
        let _ = write!(
            xml,
            "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version_id}</NextVersionIdMarker>"
        );
    }
}

fn begin(bucket: &Synthetic, query: &Query) -> u64 {
    let from_prefix = bucket.first_entry(bucket.first_key_from(&query.prefix));
    let Some(marker) = &query.key_marker else {
        return from_prefix;
    };
    let key = bucket.first_key_from(marker);
    let is_there = key < bucket.keys() && bucket.key(key) == *marker;
    let begin = match &query.version_id_marker {
        Some(id) if is_there => bucket.first_entry(key) + newer_of(bucket, id, key) + 1,
        _ if is_there => bucket.first_entry(key + 1),
        _ => bucket.first_entry(key),
    };
    begin.max(from_prefix)
}

fn version_id(bucket: &Synthetic, entry: Entry) -> String {
    let mut id = String::with_capacity(32);
    push_version_id(&mut id, bucket.what(entry), entry);
    id
}

/// Looks random, and holds how many newer versions there are; or `null`.
fn push_version_id(xml: &mut String, what: What, entry: Entry) {
    if what.is_null() {
        xml.push_str("null");
        return;
    }
    let secret = mix(entry.key);
    push_hex(xml, mix(secret ^ entry.newer));
    push_hex(xml, secret ^ entry.newer);
}

/// Sixteen digits. The server is to cost less than who is measured by it, and formatting is slow.
fn push_hex(xml: &mut String, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    xml.extend((0..16).rev().map(|place| {
        let digit = number >> (4 * place) & 15;
        char::from(DIGITS[usize::try_from(digit).unwrap_or_default()])
    }));
}

/// Writes times; a key's versions are often of one day.
#[derive(Default)]
struct Days {
    day: i64,
    text: String,
}

impl Days {
    fn push(&mut self, xml: &mut String, time: Timestamp) {
        const DAY: i64 = 86_400;
        let (day, second) = (time.0 / 1000 / DAY, time.0 / 1000 % DAY);
        if day != self.day || self.text.is_empty() {
            self.day = day;
            self.text = Timestamp(day * DAY * 1000).to_string();
            self.text.truncate("2024-05-01T".len());
        }
        xml.push_str(&self.text);
        for (number, behind) in [
            (second / 3600, ":"),
            (second / 60 % 60, ":"),
            (second % 60, ".000Z"),
        ] {
            for digit in [number / 10, number % 10] {
                xml.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
            }
            xml.push_str(behind);
        }
    }
}

fn newer_of(bucket: &Synthetic, version_id: &str, key: u64) -> u64 {
    if version_id == "null" {
        return bucket.newer_than_null(key).unwrap_or(0);
    }
    let tail = version_id.get(16..).unwrap_or_default();
    u64::from_str_radix(tail, 16).map_or(0, |tail| tail ^ mix(key))
}

fn write_entry(xml: &mut String, bucket: &Synthetic, entry: Entry, key: &str, days: &mut Days) {
    let what = bucket.what(entry);
    let is_delete_marker = what.is_delete_marker();
    let element = if is_delete_marker {
        "DeleteMarker"
    } else {
        "Version"
    };
    let latest = if entry.newer == 0 { "true" } else { "false" };
    for part in ["<", element, "><Key>", key, "</Key><VersionId>"] {
        xml.push_str(part);
    }
    push_version_id(xml, what, entry);
    for part in [
        "</VersionId><IsLatest>",
        latest,
        "</IsLatest><LastModified>",
    ] {
        xml.push_str(part);
    }
    days.push(xml, bucket.last_modified(entry));
    xml.push_str("</LastModified>");
    if !is_delete_marker {
        let tag = mix(entry.key ^ entry.older << 40);
        xml.push_str("<ETag>&quot;");
        push_hex(xml, tag);
        push_hex(xml, mix(tag));
        if let Some(parts) = what.parts() {
            let _ = write!(xml, "-{parts}");
        }
        let size = match what {
            What::Empty => 0,
            What::Huge => LARGEST,
            _ => tag % 1_000_000,
        };
        let _ = write!(xml, "&quot;</ETag><Size>{size}</Size>");
        xml.push_str("<StorageClass>STANDARD</StorageClass>");
    }
    xml.push_str(
        "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></",
    );
    xml.push_str(element);
    xml.push('>');
}

/// A key as it is written.
pub(super) fn encoded(key: &str, url_encoded: bool) -> String {
    if url_encoded {
        return encode_key(key);
    }
    let mut escaped = String::with_capacity(key.len());
    for character in key.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // As S3 writes them, though XML 1.0 has no such characters.
            '\0'..=' ' if character != ' ' => {
                let _ = write!(escaped, "&#x{:x};", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::page::parse_page;

    use super::*;
    use crate::load::shape::Shape;

    #[test]
    fn pages_follow_each_other_and_hold_every_version_once() {
        for (name, shape) in Shape::ALL {
            let bucket = Synthetic {
                shape,
                versions: 2_500,
                per_key: 3,
            };
            let mut query = Query {
                max_keys: 97,
                url_encoded: shape != Shape::Dated,
                ..Query::default()
            };
            let mut found = 0;
            loop {
                let (xml, versions) = page(&bucket, &query);
                let page = parse_page(xml.as_bytes()).unwrap();
                assert_eq!(page.listing.len() as u64, versions);
                for listed in page.listing.iter() {
                    let entry = bucket.entry(found);
                    assert_eq!(listed.version.key, bucket.key(entry.key), "{name}");
                    let id = version_id(&bucket, entry);
                    assert_eq!(listed.version.version_id, id, "{name}");
                    let time = bucket.last_modified(entry);
                    assert_eq!(listed.version.last_modified, time, "{name}");
                    found += 1;
                }
                let Some(next) = page.next else { break };
                query.key_marker = Some(next.key);
                query.version_id_marker = next.version_id;
            }
            assert_eq!(found, bucket.versions, "{name}");
        }
    }

    #[test]
    fn a_key_as_prefix_lists_its_versions_first_whatever_the_key_and_the_size_of_pages() {
        let bucket = Synthetic {
            shape: Shape::EveryKind,
            versions: 1_200,
            per_key: 1,
        };
        for key in 0..bucket.keys() {
            let (first, end) = (bucket.first_entry(key), bucket.first_entry(key + 1));
            let mut query = Query {
                prefix: bucket.key(key),
                max_keys: 2,
                url_encoded: true,
                ..Query::default()
            };
            let mut found = Vec::new();
            while found.len() < usize::try_from(end - first).unwrap() {
                let (xml, _) = page(&bucket, &query);
                let page = parse_page(xml.as_bytes()).unwrap();
                let ids = page.listing.iter().map(|row| row.version.version_id);
                found.extend(ids.map(str::to_owned));
                let Some(next) = page.next else { break };
                query.key_marker = Some(next.key);
                query.version_id_marker = next.version_id;
            }
            let entries = (first..end).map(|number| version_id(&bucket, bucket.entry(number)));
            let entries: Vec<_> = entries.collect();
            assert_eq!(found[..entries.len()], entries, "{:?}", query.prefix);
        }
    }
}
