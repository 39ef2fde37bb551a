//! A versioned bucket in memory that answers `ListObjectVersions` with a document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::ObjectVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::position::Position;
use bytes::Bytes;

use crate::faults::{Faults, Strike};

/// How a server writes its pages.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Style {
    /// Entries a page.
    pub page_size: usize,
    /// Keys percent-encoded, and the answer says so.
    pub url_encoded: bool,
    /// All delete markers after all versions, as some servers do.
    pub markers_apart: bool,
    /// A key's oldest version first.
    pub oldest_first: bool,
    /// Whether entries say which is the latest.
    pub says_latest: bool,
    /// Whether a key's second newest entry claims to be the latest too.
    pub two_latest: bool,
    /// What `IsTruncated` says when there is more; empty leaves the element out.
    pub truncated: &'static str,
    /// How the next page's place is told.
    pub markers: Markers,
}

/// How a server tells where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markers {
    /// As S3: key and version id, encoded like keys.
    Whole,
    /// Never encoded, and without control characters, as Ceph writes them.
    Raw,
    /// The key alone; asked for what is behind a key, the server begins with the key again, and behind
    /// a version with that version.
    KeyAgain,
    /// None at all.
    Missing,
}

/// As S3 answers, in pages of 25.
pub const STYLE: Style = Style {
    page_size: 25,
    url_encoded: true,
    markers_apart: false,
    oldest_first: false,
    says_latest: true,
    two_latest: false,
    truncated: "true",
    markers: Markers::Whole,
};

/// A bucket whose history is written by [`Bucket::put`] and [`Bucket::delete`].
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// By key, oldest first.
    entries: BTreeMap<String, Vec<ObjectVersion>>,
    versions: u64,
}

impl Bucket {
    /// Writes a version. S3 cuts times to the second: so does the caller, if it wants to.
    pub fn put(&mut self, key: &str, last_modified: Timestamp) {
        self.add(key, last_modified, false);
    }

    /// Writes a delete marker.
    pub fn delete(&mut self, key: &str, last_modified: Timestamp) {
        self.add(key, last_modified, true);
    }

    /// Ends an upload in parts: S3 lists it, and dates it, by when it began.
    pub fn end_upload(&mut self, key: &str, began: Timestamp) -> &ObjectVersion {
        let mut version = self.version(key, began, false);
        let dashed = version.e_tag.map(|tag| tag + "-2");
        version.e_tag = dashed;
        let of_key = self.entries.entry(key.to_owned()).or_default();
        let is_older = |other: &ObjectVersion| other.last_modified <= began;
        let place = of_key.iter().rposition(is_older).map_or(0, |p| p + 1);
        of_key.insert(place, version);
        mark_latest(of_key);
        &of_key[place]
    }

    fn add(&mut self, key: &str, last_modified: Timestamp, is_delete_marker: bool) {
        let version = self.version(key, last_modified, is_delete_marker);
        let of_key = self.entries.entry(key.to_owned()).or_default();
        of_key.push(version);
        mark_latest(of_key);
    }

    fn version(&mut self, key: &str, last_modified: Timestamp, is_marker: bool) -> ObjectVersion {
        self.versions += 1;
        let number = self.versions;
        ObjectVersion {
            key: key.to_owned(),
            // Ids that do not sort by age, as S3's do not.
            version_id: format!("{:04x}.{number}", number.wrapping_mul(40_503) & 0xffff),
            last_modified,
            is_latest: false,
            is_delete_marker: is_marker,
            size: (!is_marker).then_some(number),
            e_tag: (!is_marker).then(|| format!("{number:032x}")),
        }
    }

    /// A key's newest version or delete marker.
    #[must_use]
    pub fn newest(&self, key: &str) -> Option<&ObjectVersion> {
        self.entries.get(key)?.last()
    }

    /// Versions and delete markers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The history in the order that docs/EVENTS.md promises, straight from how it was written: no page, no
    /// parsing, no merging.
    #[must_use]
    pub fn history(&self) -> Vec<(Position, ObjectVersion)> {
        let mut history = Vec::with_capacity(self.len());
        for versions in self.entries.values() {
            let mut effective_time = Timestamp(i64::MIN);
            for (rank, version) in (0u64..).zip(versions) {
                effective_time = effective_time.max(version.last_modified);
                let position = Position {
                    effective_time,
                    key: version.key.clone(),
                    rank,
                };
                history.push((position, version.clone()));
            }
        }
        history.sort_by(|a, b| a.0.cmp(&b.0));
        history
    }

    fn is_second_newest(&self, entry: &ObjectVersion) -> bool {
        let second = self.entries[&entry.key].iter().nth_back(1);
        second.is_some_and(|second| second.version_id == entry.version_id)
    }

    /// One page as a server of this style writes it.
    #[must_use]
    pub fn page(&self, prefix: &str, marker: Option<&Marker>, style: Style) -> String {
        let mut rest = self
            .entries
            .range(marker.map_or(String::new(), |m| m.key.clone())..)
            .filter(|(key, _)| key.starts_with(prefix))
            .flat_map(|(_, versions)| in_style(versions, style))
            .skip_while(|entry| {
                marker.is_some_and(|marker| match &marker.version_id {
                    None => entry.key == marker.key && style.markers != Markers::KeyAgain,
                    Some(id) => entry.key == marker.key && entry.version_id != *id,
                })
            });
        let mut entries = style.page_size;
        if marker.is_some_and(|m| m.version_id.is_some()) {
            if style.markers == Markers::KeyAgain {
                entries += 1;
            } else {
                rest.next();
            }
        }
        let mut page: Vec<_> = rest.by_ref().take(entries).collect();
        let truncated = rest.next().is_some();
        let last = page.last().copied();
        if style.markers_apart {
            page.sort_by_key(|entry| entry.is_delete_marker); // stable
        }
        let mut xml =
            String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult>");
        if style.url_encoded {
            xml.push_str("<EncodingType>url</EncodingType>");
        }
        let is_truncated = if truncated { style.truncated } else { "false" };
        if !is_truncated.is_empty() {
            let _ = write!(xml, "<IsTruncated>{is_truncated}</IsTruncated>");
        }
        if let Some(last) = last.filter(|_| truncated) {
            write_marker(&mut xml, last, style);
        }
        for entry in page {
            let claims = style.two_latest && self.is_second_newest(entry);
            write_entry(&mut xml, entry, claims || entry.is_latest, style);
        }
        xml.push_str("</ListVersionsResult>");
        xml
    }
}

/// Of a key's versions, oldest first.
fn mark_latest(versions: &mut [ObjectVersion]) {
    for version in versions.iter_mut() {
        version.is_latest = false;
    }
    if let Some(latest) = versions.last_mut() {
        latest.is_latest = true;
    }
}

fn in_style(
    versions: &[ObjectVersion],
    style: Style,
) -> Box<dyn Iterator<Item = &ObjectVersion> + '_> {
    if style.oldest_first {
        Box::new(versions.iter())
    } else {
        Box::new(versions.iter().rev())
    }
}

fn write_marker(xml: &mut String, last: &ObjectVersion, style: Style) {
    let key = match style.markers {
        Markers::Whole | Markers::KeyAgain => encode(&last.key, style.url_encoded),
        Markers::Raw => encode(&last.key.replace(char::is_control, ""), false),
        Markers::Missing => return,
    };
    let _ = write!(xml, "<NextKeyMarker>{key}</NextKeyMarker>");
    let version_id = match style.markers {
        Markers::KeyAgain => "",
        _ => &last.version_id,
    };
    let _ = write!(
        xml,
        "<NextVersionIdMarker>{version_id}</NextVersionIdMarker>"
    );
}

pub(crate) fn write_entry(xml: &mut String, entry: &ObjectVersion, is_latest: bool, style: Style) {
    let url_encoded = style.url_encoded;
    let element = if entry.is_delete_marker {
        "DeleteMarker"
    } else {
        "Version"
    };
    let _ = write!(
        xml,
        "<{element}><Key>{}</Key><VersionId>{}</VersionId><LastModified>{}</LastModified>",
        encode(&entry.key, url_encoded),
        entry.version_id,
        entry.last_modified,
    );
    if style.says_latest {
        let _ = write!(xml, "<IsLatest>{is_latest}</IsLatest>");
    }
    if let (Some(size), Some(e_tag)) = (entry.size, &entry.e_tag) {
        let _ = write!(xml, "<ETag>&quot;{e_tag}&quot;</ETag><Size>{size}</Size>");
    }
    let _ = write!(xml, "</{element}>");
}

fn encode(key: &str, url_encoded: bool) -> String {
    if url_encoded {
        return bridge_core::format::encode_key(key);
    }
    key.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\r', "&#13;")
}

/// The port to a bucket.
#[derive(Debug)]
pub struct SimLister {
    /// What is listed.
    pub bucket: Arc<Bucket>,
    /// How.
    pub style: Style,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

impl SimLister {
    /// A port to `bucket`.
    #[must_use]
    pub fn new(bucket: Arc<Bucket>, style: Style, faults: Arc<Faults>) -> Self {
        Self {
            bucket,
            style,
            faults,
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// The most pages that were asked for at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// Ends a request, also when its caller abandons it.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Lister for SimLister {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let at_once = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let _in_flight = InFlight(&self.in_flight);
        self.most.fetch_max(at_once, Ordering::Relaxed);
        let strike = self.faults.strike().await;
        if strike != Strike::None {
            return Err(ListError {
                kind: strike.kind(),
                code: "SlowDown".to_owned(),
                message: "simulated".to_owned(),
            });
        }
        Ok(Bytes::from(self.bucket.page(prefix, marker, self.style)))
    }
}
