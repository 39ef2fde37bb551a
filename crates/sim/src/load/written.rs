//! A bucket that is written to while it is listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bridge_core::timestamp::Timestamp;

use super::listing::{Query, document, encoded};
use super::numbers::mix;

/// What was put, by key, the oldest first.
#[derive(Debug, Default)]
pub struct Written(BTreeMap<String, Vec<Version>>);

#[derive(Debug)]
struct Version {
    id: String,
    at: Timestamp,
}

impl Written {
    /// A version comes at `at`, which a listing tells in whole seconds.
    pub fn put(&mut self, key: &str, version_id: &str, at: Timestamp) {
        let version = Version {
            id: version_id.to_owned(),
            at: Timestamp(at.0 - at.0.rem_euclid(1000)),
        };
        self.0.entry(key.to_owned()).or_default().push(version);
    }

    /// Whether nothing was put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One page, and how many versions it holds.
    #[must_use]
    pub fn page(&self, query: &Query) -> (String, u64) {
        let keys = self.0.range(query.prefix.clone()..);
        let keys = keys.take_while(|(key, _)| key.starts_with(&query.prefix));
        let all = keys.flat_map(|(key, versions)| {
            let newest = versions.len() - 1;
            let places = versions.iter().enumerate().rev();
            places.map(move |(place, version)| (key, version, place == newest))
        });
        let mut is_behind = query.key_marker.is_none();
        let mut rest = all.filter(|(key, version, _)| {
            let Some(marker) = query.key_marker.as_ref().filter(|_| !is_behind) else {
                return true;
            };
            match &query.version_id_marker {
                Some(id) if *key == marker => {
                    is_behind = version.id == *id;
                    false
                }
                _ => *key > marker,
            }
        });
        let (mut entries, mut count, mut last) = (String::new(), 0, None);
        for (key, version, is_latest) in rest.by_ref() {
            let tag = version
                .id
                .bytes()
                .fold(0, |tag, byte| mix(tag ^ u64::from(byte)));
            let row = Row {
                key: &encoded(key, query.url_encoded),
                version_id: &version.id,
                is_latest,
                last_modified: version.at,
                tag: Some(tag),
            };
            row.write(&mut entries);
            count += 1;
            last = Some((key.clone(), version.id.clone()));
            if count == query.max_keys {
                break;
            }
        }
        let next = last.filter(|_| rest.next().is_some());
        (document(query, &entries, next), count)
    }
}

/// A version as it is listed.
struct Row<'a> {
    /// As it is written.
    key: &'a str,
    version_id: &'a str,
    is_latest: bool,
    last_modified: Timestamp,
    /// What eTag and size follow from; `None`: it is a delete marker.
    tag: Option<u64>,
}

impl Row<'_> {
    /// Adds it to a page's entries.
    fn write(&self, xml: &mut String) {
        let element = if self.tag.is_none() {
            "DeleteMarker"
        } else {
            "Version"
        };
        let _ = write!(
            xml,
            "<{element}><Key>{}</Key><VersionId>{}</VersionId><IsLatest>{}</IsLatest><LastModified>{}</LastModified>",
            self.key, self.version_id, self.is_latest, self.last_modified,
        );
        if let Some(tag) = self.tag {
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
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::page::parse_page;

    use super::*;

    #[test]
    fn pages_follow_each_other_and_list_a_key_newest_first() {
        let mut written = Written::default();
        for number in 0..20 {
            let key = format!("a/{}", number % 3);
            written.put(&key, &format!("v{number}"), Timestamp(number * 400));
        }
        written.put("b", "other", Timestamp(0));
        let mut expected: Vec<_> = (0..20).map(|number| (number % 3, -number)).collect();
        expected.sort_unstable();
        for max_keys in [1, 2, 7, 20, 1000] {
            let mut query = Query {
                prefix: "a/".to_owned(),
                max_keys,
                ..Query::default()
            };
            let mut found = Vec::new();
            loop {
                let (xml, count) = written.page(&query);
                let page = parse_page(xml.as_bytes()).unwrap();
                assert_eq!(page.listing.len() as u64, count);
                let rows = page.listing.iter().map(|row| {
                    let number: i64 = row.version.version_id[1..].parse().unwrap();
                    assert_eq!(row.version.last_modified.0, number * 400 / 1000 * 1000);
                    assert_eq!(row.version.is_latest, number > 16);
                    (number % 3, -number)
                });
                found.extend(rows);
                let Some(next) = page.next else { break };
                query.key_marker = Some(next.key);
                query.version_id_marker = next.version_id;
            }
            assert_eq!(found, expected, "{max_keys} a page");
        }
    }
}
