//! `ListObjectVersions` over a synthetic bucket.

use std::fmt::Write as _;

use bridge_core::format::encode_key;

use super::shape::{Entry, Synthetic, mix};

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

/// One page, and how many versions it holds.
#[must_use]
pub fn page(bucket: &Synthetic, query: &Query) -> (String, u64) {
    let begin = begin(bucket, query);
    let mut xml = String::with_capacity(512 * 1024);
    let mut last: Option<(Entry, String)> = None;
    let mut entries = String::with_capacity(512 * 1024);
    let mut number = begin;
    let mut truncated = false;
    while number < bucket.versions {
        let entry = bucket.entry(number);
        let key = match last {
            Some((before, key)) if before.key == entry.key => key,
            _ => bucket.key(entry.key),
        };
        if !key.starts_with(&query.prefix) {
            last = None;
            break;
        }
        if number - begin == query.max_keys {
            truncated = true;
            last = Some((bucket.entry(number - 1), String::new()));
            break;
        }
        write_entry(
            &mut entries,
            bucket,
            entry,
            &encoded(&key, query.url_encoded),
        );
        last = Some((entry, key));
        number += 1;
    }
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>load</Name>");
    if query.url_encoded {
        xml.push_str("<EncodingType>url</EncodingType>");
    }
    let _ = write!(
        xml,
        "<MaxKeys>{}</MaxKeys><IsTruncated>{truncated}</IsTruncated>",
        query.max_keys
    );
    if truncated && let Some((entry, _)) = last {
        let _ = write!(
            xml,
            "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>",
            encoded(&bucket.key(entry.key), query.url_encoded),
            version_id(entry)
        );
    }
    xml.push_str(&entries);
    xml.push_str("</ListVersionsResult>");
    (xml, number - begin)
}

fn begin(bucket: &Synthetic, query: &Query) -> u64 {
    let from_prefix = bucket.first_entry(bucket.first_key_from(&query.prefix));
    let Some(marker) = &query.key_marker else {
        return from_prefix;
    };
    let key = bucket.first_key_from(marker);
    let is_there = key < bucket.keys() && bucket.key(key) == *marker;
    let begin = match &query.version_id_marker {
        Some(id) if is_there => bucket.first_entry(key) + newer_of(id, key) + 1,
        _ if is_there => bucket.first_entry(key + 1),
        _ => bucket.first_entry(key),
    };
    begin.max(from_prefix)
}

/// Looks random, and holds how many newer versions there are.
fn version_id(entry: Entry) -> String {
    let secret = mix(entry.key);
    format!(
        "{:016x}{:016x}",
        mix(secret ^ entry.newer),
        secret ^ entry.newer
    )
}

fn newer_of(version_id: &str, key: u64) -> u64 {
    let tail = version_id.get(16..).unwrap_or_default();
    u64::from_str_radix(tail, 16).map_or(0, |tail| tail ^ mix(key))
}

fn write_entry(xml: &mut String, bucket: &Synthetic, entry: Entry, key: &str) {
    let is_delete_marker = bucket.is_delete_marker(entry);
    let element = if is_delete_marker {
        "DeleteMarker"
    } else {
        "Version"
    };
    let _ = write!(
        xml,
        "<{element}><Key>{key}</Key><VersionId>{}</VersionId><IsLatest>{}</IsLatest><LastModified>{}</LastModified>",
        version_id(entry),
        entry.newer == 0,
        bucket.last_modified(entry),
    );
    if !is_delete_marker {
        let tag = mix(entry.key ^ entry.older << 40);
        let _ = write!(
            xml,
            "<ETag>&quot;{tag:016x}{:016x}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass>",
            mix(tag),
            tag % 1_000_000,
        );
    }
    let _ = write!(
        xml,
        "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></{element}>"
    );
}

fn encoded(key: &str, url_encoded: bool) -> String {
    if url_encoded {
        return encode_key(key);
    }
    key.replace('&', "&amp;")
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
                    assert_eq!(listed.version.version_id, version_id(entry), "{name}");
                    found += 1;
                }
                let Some(next) = page.next else { break };
                query.key_marker = Some(next.key);
                query.version_id_marker = next.version_id;
            }
            assert_eq!(found, bucket.versions, "{name}");
        }
    }
}
