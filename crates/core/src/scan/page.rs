//! One page of `ListObjectVersions`, read in document order.
//!
//! The AWS SDKs hand out versions and delete markers as two lists, which loses the bucket's own
//! order (aws/aws-sdk-cpp#1649); this reads the response document itself.
//! Source: Amazon S3 API Reference, "`ListObjectVersions`".

use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event as Xml;

use crate::time::Millis;
use crate::version::ObjectVersion;

/// Where the next page begins: after this version of this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Decoded key.
    pub key: String,
    /// Without it: after all versions of the key.
    pub version_id: Option<String>,
}

/// A page as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Versions and delete markers in document order.
    pub entries: Vec<ObjectVersion>,
    /// The next page's marker; `None` on the last page.
    pub next: Option<Marker>,
}

/// Why a document is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not UTF-8, not XML, or cut short.
    #[error("the listing is not a whole XML document: {0}")]
    NotXml(String),
    /// Another document, such as an error message with status 200.
    #[error("the server answered with a <{0}> document instead of a listing")]
    NotAListing(String),
    /// A missing or unreadable fact.
    #[error("{element} of entry {entry} ({key:?}): {reason}")]
    BadEntry {
        /// Which element.
        element: &'static str,
        /// Number of the entry in the page, from 1.
        entry: usize,
        /// The entry's key as far as known.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Truncated pages must say where to go on.
    #[error("the page is truncated but has no NextKeyMarker")]
    NoNextMarker,
    /// Listing on would never end.
    #[error("the next page would begin at {key:?} (version {version_id:?}) again")]
    NoAdvance {
        /// The repeated key marker.
        key: String,
        /// The repeated version marker.
        version_id: Option<String>,
    },
    /// Keys of one kind of entry must ascend.
    #[error("keys go backwards: {after:?} comes after {before:?}")]
    Backwards {
        /// The earlier, larger key.
        before: String,
        /// The later, smaller key.
        after: String,
    },
}

/// Fields as they come, before decoding.
#[derive(Default)]
struct Raw {
    key: Option<String>,
    version_id: Option<String>,
    last_modified: Option<String>,
    is_latest: bool,
    is_delete_marker: bool,
    size: Option<String>,
    e_tag: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// [`PageError`]: a page that cannot be trusted as a whole is refused as a whole.
pub fn parse_page(document: &[u8]) -> Result<Page, PageError> {
    let text = std::str::from_utf8(document).map_err(not_xml)?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut raws: Vec<Raw> = Vec::with_capacity(1000);
    let mut path: Vec<Element> = Vec::with_capacity(5);
    let mut leaf = String::new();
    let (mut url_encoded, mut truncated, mut complete) = (false, false, false);
    let (mut next_key, mut next_version) = (None, None);
    loop {
        match reader.read_event().map_err(not_xml)? {
            Xml::Start(tag) => {
                let element = Element::of(tag.local_name().into_inner());
                match path.len() {
                    0 if element != Element::Listing => {
                        let name = tag.local_name().into_inner().to_owned();
                        return Err(PageError::NotAListing(name));
                    }
                    1 if matches!(element, Element::Version | Element::DeleteMarker) => {
                        raws.push(Raw {
                            is_delete_marker: element == Element::DeleteMarker,
                            ..Raw::default()
                        });
                    }
                    _ => {}
                }
                path.push(element);
                leaf.clear();
            }
            Xml::Text(part) => leaf.push_str(&part),
            Xml::CData(part) => leaf.push_str(&part),
            Xml::GeneralRef(reference) => match reference.resolve_char_ref().map_err(not_xml)? {
                Some(character) => leaf.push(character),
                None => leaf.push_str(
                    resolve_predefined_entity(&reference)
                        .ok_or_else(|| not_xml(format!("unknown entity &{};", &*reference)))?,
                ),
            },
            Xml::End(_) => {
                match path.as_slice() {
                    [_, Element::Version | Element::DeleteMarker, field] => {
                        if let Some(raw) = raws.last_mut() {
                            raw.set(*field, &mut leaf);
                        }
                    }
                    [_, Element::EncodingType] => url_encoded = leaf == "url",
                    [_, Element::IsTruncated] => truncated = leaf == "true",
                    [_, Element::NextKeyMarker] => next_key = Some(std::mem::take(&mut leaf)),
                    [_, Element::NextVersionIdMarker] => {
                        next_version = Some(std::mem::take(&mut leaf));
                    }
                    [_] => complete = true,
                    _ => {}
                }
                path.pop();
                leaf.clear();
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    if !complete || !path.is_empty() {
        return Err(not_xml("it ends before its root element does"));
    }
    let entries = raws
        .into_iter()
        .enumerate()
        .map(|(index, raw)| raw.decode(index + 1, url_encoded))
        .collect::<Result<Vec<_>, _>>()?;
    let next = match (truncated, next_key) {
        (false, _) => None,
        (true, None) => return Err(PageError::NoNextMarker),
        (true, Some(key)) => Some(Marker {
            key: decode_key(key, url_encoded).map_err(not_xml)?,
            version_id: next_version.filter(|v| !v.is_empty()),
        }),
    };
    check_ascending(&entries)?;
    Ok(Page { entries, next })
}

impl Raw {
    fn set(&mut self, field: Element, text: &mut String) {
        match field {
            Element::Key => self.key = Some(std::mem::take(text)),
            Element::VersionId => self.version_id = Some(std::mem::take(text)),
            Element::LastModified => self.last_modified = Some(std::mem::take(text)),
            Element::IsLatest => self.is_latest = text == "true",
            Element::Size => self.size = Some(std::mem::take(text)),
            Element::ETag => self.e_tag = Some(text.trim_matches('"').to_owned()),
            _ => {}
        }
    }

    fn decode(self, entry: usize, url_encoded: bool) -> Result<ObjectVersion, PageError> {
        let bad = |element: &'static str, key: &str, reason: String| PageError::BadEntry {
            element,
            entry,
            key: key.to_owned(),
            reason,
        };
        let missing = || "it is missing".to_owned();
        let key = self.key.ok_or_else(|| bad("Key", "", missing()))?;
        let key = decode_key(key, url_encoded).map_err(|e| bad("Key", "", e))?;
        let last_modified = self
            .last_modified
            .ok_or_else(|| bad("LastModified", &key, missing()))?;
        let last_modified =
            Millis::parse(&last_modified).map_err(|e| bad("LastModified", &key, e.to_string()))?;
        let size = match self.size.filter(|_| !self.is_delete_marker) {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|e| bad("Size", &key, format!("{text:?}: {e}")))?,
            ),
        };
        Ok(ObjectVersion {
            key,
            version_id: self
                .version_id
                .filter(|v| !v.is_empty())
                .unwrap_or_else(|| "null".to_owned()),
            last_modified,
            is_latest: self.is_latest,
            is_delete_marker: self.is_delete_marker,
            size,
            e_tag: self.e_tag.filter(|_| !self.is_delete_marker),
        })
    }
}

/// Keys are form-encoded when the answer says `EncodingType url`, and only then: some servers
/// ignore the request for it.
fn decode_key(key: String, url_encoded: bool) -> Result<String, String> {
    if !url_encoded || !key.contains(['%', '+']) {
        return Ok(key);
    }
    percent_decode_str(&key.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|e| format!("{key:?} does not decode to UTF-8: {e}"))
}

/// The elements that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Listing,
    Version,
    DeleteMarker,
    Key,
    VersionId,
    IsLatest,
    LastModified,
    Size,
    ETag,
    EncodingType,
    IsTruncated,
    NextKeyMarker,
    NextVersionIdMarker,
    Other,
}

impl Element {
    /// By name without its namespace prefix, which some servers write.
    fn of(name: &str) -> Self {
        match name {
            "ListVersionsResult" | "ListObjectVersionsResult" => Self::Listing,
            "Version" => Self::Version,
            "DeleteMarker" => Self::DeleteMarker,
            "Key" => Self::Key,
            "VersionId" => Self::VersionId,
            "IsLatest" => Self::IsLatest,
            "LastModified" => Self::LastModified,
            "Size" => Self::Size,
            "ETag" => Self::ETag,
            "EncodingType" => Self::EncodingType,
            "IsTruncated" => Self::IsTruncated,
            "NextKeyMarker" => Self::NextKeyMarker,
            "NextVersionIdMarker" => Self::NextVersionIdMarker,
            _ => Self::Other,
        }
    }
}

fn check_ascending(entries: &[ObjectVersion]) -> Result<(), PageError> {
    let mut last: [Option<&str>; 2] = [None, None];
    for entry in entries {
        let last = &mut last[usize::from(entry.is_delete_marker)];
        if let Some(before) = last.filter(|before| *before > entry.key.as_str()) {
            return Err(PageError::Backwards {
                before: before.to_owned(),
                after: entry.key.clone(),
            });
        }
        *last = Some(&entry.key);
    }
    Ok(())
}

fn not_xml(error: impl ToString) -> PageError {
    PageError::NotXml(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(inner: &str) -> String {
        format!("<?xml version=\"1.0\"?><ListVersionsResult>{inner}</ListVersionsResult>")
    }

    fn version(key: &str, more: &str) -> String {
        format!(
            "<Version><Key>{key}</Key><VersionId>v</VersionId>\
             <LastModified>2024-05-01T12:00:00.000Z</LastModified>{more}</Version>"
        )
    }

    fn keys(document: &str) -> Vec<String> {
        let page = parse_page(document.as_bytes()).unwrap();
        page.entries.into_iter().map(|e| e.key).collect()
    }

    #[test]
    fn entities_cdata_and_character_references_are_read() {
        let document = page(&version("a&amp;b&#x26;&#99;<![CDATA[<&>]]>", ""));
        assert_eq!(keys(&document), ["a&b&c<&>"]);
    }

    #[test]
    fn keys_are_decoded_only_when_the_answer_says_so() {
        let entry = version("a%20b+c%2B", "");
        assert_eq!(keys(&page(&entry)), ["a%20b+c%2B"]);
        let encoded = format!("<EncodingType>url</EncodingType>{entry}");
        assert_eq!(keys(&page(&encoded)), ["a b c+"]);
        let told_last = format!("{entry}<EncodingType>url</EncodingType>");
        assert_eq!(keys(&page(&told_last)), ["a b c+"]);
    }

    #[test]
    fn a_namespace_prefix_and_unknown_elements_do_not_matter() {
        let document = "<x:ListVersionsResult><x:Version><x:Key>k</x:Key><New><Key>no</Key></New>\
            <x:LastModified>2024-05-01T12:00:00Z</x:LastModified><VersionId/></x:Version>\
            </x:ListVersionsResult>";
        let page = parse_page(document.as_bytes()).unwrap();
        assert_eq!(page.entries[0].key, "k");
        assert_eq!(page.entries[0].version_id, "null");
    }

    #[test]
    fn a_page_that_cannot_be_trusted_is_refused() {
        let good = page(&version("k", "<Size>1</Size>"));
        for (document, part) in [
            (&good[..good.len() - 5], "whole XML document"),
            (&good[..100], "whole XML document"),
            ("", "whole XML document"),
            ("<Error><Code>SlowDown</Code></Error>", "<Error>"),
            (&page("<IsTruncated>true</IsTruncated>"), "no NextKeyMarker"),
            (&page("<Version><Key>k</Key></Version>"), "LastModified"),
            (&page(&version("k", "<Size>-1</Size>")), "Size"),
            (&page(&version("&nope;", "")), "&nope;"),
            (
                &page(&(version("b", "") + &version("a", ""))),
                "keys go backwards: \"a\" comes after \"b\"",
            ),
        ] {
            let error = parse_page(document.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{document}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_page(&bytes);
        }

        /// A page cut short anywhere is refused, never read as a shorter page.
        #[test]
        fn a_page_cut_anywhere_is_refused(cut in 0usize..10_000) {
            let whole = page(&(version("a", "") + &version("b", "<Size>1</Size>")));
            prop_assert!(parse_page(&whole.as_bytes()[..cut % whole.len()]).is_err());
        }
    }
}
