//! One page of `ListObjectVersions`, read in document order.
//!
//! The AWS SDKs hand out versions and delete markers as two lists, which loses the bucket's own
//! order (aws/aws-sdk-cpp#1649); this reads the response document itself.
//! Source: Amazon S3 API Reference, "`ListObjectVersions`".

mod element;
mod times;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event as Xml};

use super::listing::{Builder, Listing, Row};
use crate::version::VersionRef;
use element::Element;
use times::Times;

/// Servers write at most 1,000 entries a page, of at most some kilobytes each. A document beyond
/// this is none, and is not kept in memory.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024 * 1024;

/// Where the next page begins: after this version of this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Decoded key.
    pub key: String,
    /// Without it: after all versions of the key.
    pub version_id: Option<String>,
}

/// A page as the server wrote it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Versions and delete markers in document order.
    pub listing: Listing,
    /// The next page's marker; `None` on the last page.
    pub next: Option<Marker>,
}

/// Why a document is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not UTF-8, not XML, or cut short.
    #[error("the listing is not a whole XML document: {0}")]
    NotXml(String),
    /// More than any listing has.
    #[error("the document has {0} bytes; no listing has so many")]
    TooLong(usize),
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

/// Fields of an entry as they come, before decoding; most are parts of the document.
#[derive(Default)]
struct Raw<'a> {
    key: Option<Cow<'a, str>>,
    version_id: Option<Cow<'a, str>>,
    last_modified: Option<Cow<'a, str>>,
    is_latest: bool,
    is_delete_marker: bool,
    size: Option<Cow<'a, str>>,
    e_tag: Option<Cow<'a, str>>,
}

/// What a page says about itself.
#[derive(Default)]
struct Frame<'a> {
    url_encoded: bool,
    truncated: bool,
    next_key: Option<Cow<'a, str>>,
    next_version: Option<Cow<'a, str>>,
}

/// Reads a page.
///
/// # Errors
/// [`PageError`]: a page that cannot be trusted as a whole is refused as a whole.
pub fn parse_page(document: &[u8]) -> Result<Page, PageError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(PageError::TooLong(document.len()));
    }
    let text = std::str::from_utf8(document).map_err(not_xml)?;
    // S3 says how it encodes before the first entry; some servers after the last.
    let (entries, frame) = match read(text, announced_encoding(text)) {
        Ok((_, frame)) if frame.url_encoded != announced_encoding(text) => {
            read(text, frame.url_encoded)?
        }
        read => read?,
    };
    let next = match (frame.truncated, frame.next_key) {
        (false, _) => None,
        (true, None) => return Err(PageError::NoNextMarker),
        (true, Some(key)) => Some(Marker {
            key: decode_key(key, frame.url_encoded)
                .map_err(not_xml)?
                .into_owned(),
            version_id: frame
                .next_version
                .filter(|v| !v.is_empty())
                .map(Cow::into_owned),
        }),
    };
    let listing = entries.finish();
    check_ascending(&listing)?;
    Ok(Page { listing, next })
}

/// Whether the encoding is told before the first entry.
fn announced_encoding(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(4096)];
    head.contains("EncodingType>url<")
}

/// One pass over the document, keys decoded as `url_encoded` says.
fn read(text: &str, url_encoded: bool) -> Result<(Builder, Frame<'_>), PageError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut entries = Builder::with_capacity(1000, text.len() / 3);
    let mut count = 0;
    let mut frame = Frame::default();
    let mut raw = Raw::default();
    let mut times = Times::default();
    let mut path: Vec<Element> = Vec::with_capacity(5);
    let mut leaf: Cow<'_, str> = Cow::Borrowed("");
    let mut complete = false;
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
                        raw = Raw {
                            is_delete_marker: element == Element::DeleteMarker,
                            ..Raw::default()
                        };
                    }
                    _ => {}
                }
                path.push(element);
                leaf = Cow::Borrowed("");
            }
            Xml::Text(part) => append(&mut leaf, part.into_inner()),
            Xml::CData(part) => append(&mut leaf, part.into_inner()),
            Xml::GeneralRef(reference) => {
                let character = resolve(&reference)?;
                // Entity tags come in quotes, which are not part of them: without these, the text
                // is a part of the document as it stands.
                if character != '"' || path.last() != Some(&Element::ETag) {
                    leaf.to_mut().push(character);
                }
            }
            Xml::End(_) => {
                match path.as_slice() {
                    [_, Element::Version | Element::DeleteMarker, field] => {
                        raw.set(*field, std::mem::take(&mut leaf));
                    }
                    [_, Element::Version | Element::DeleteMarker] => {
                        count += 1;
                        std::mem::take(&mut raw).add_to(
                            &mut entries,
                            count,
                            url_encoded,
                            &mut times,
                        )?;
                    }
                    [_, field] => frame.set(*field, std::mem::take(&mut leaf)),
                    [_] => complete = true,
                    _ => {}
                }
                path.pop();
                leaf = Cow::Borrowed("");
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    if complete && path.is_empty() {
        return Ok((entries, frame));
    }
    Err(not_xml("it ends before its root element does"))
}

/// The text of an element comes in one part, unless it holds entities or CDATA.
fn append<'a>(leaf: &mut Cow<'a, str>, part: Cow<'a, str>) {
    if leaf.is_empty() {
        *leaf = part;
    } else {
        leaf.to_mut().push_str(&part);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, PageError> {
    if let Some(character) = reference.resolve_char_ref().map_err(not_xml)? {
        return Ok(character);
    }
    resolve_predefined_entity(reference)
        .and_then(|text| text.chars().next())
        .ok_or_else(|| not_xml(format!("unknown entity &{};", &**reference)))
}

impl<'a> Frame<'a> {
    fn set(&mut self, field: Element, text: Cow<'a, str>) {
        match field {
            Element::EncodingType => self.url_encoded = text == "url",
            Element::IsTruncated => self.truncated = text == "true",
            Element::NextKeyMarker => self.next_key = Some(text),
            Element::NextVersionIdMarker => self.next_version = Some(text),
            _ => {}
        }
    }
}

impl<'a> Raw<'a> {
    fn set(&mut self, field: Element, text: Cow<'a, str>) {
        match field {
            Element::Key => self.key = Some(text),
            Element::VersionId => self.version_id = Some(text),
            Element::LastModified => self.last_modified = Some(text),
            Element::IsLatest => self.is_latest = text == "true",
            Element::Size => self.size = Some(text),
            Element::ETag => self.e_tag = Some(text),
            _ => {}
        }
    }

    fn add_to(
        self,
        entries: &mut Builder,
        entry: usize,
        url_encoded: bool,
        times: &mut Times,
    ) -> Result<(), PageError> {
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
        let last_modified = times
            .parse(&last_modified)
            .map_err(|e| bad("LastModified", &key, e))?;
        let size = match self.size.filter(|_| !self.is_delete_marker) {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|e| bad("Size", &key, format!("{text:?}: {e}")))?,
            ),
        };
        let e_tag = self.e_tag.filter(|_| !self.is_delete_marker);
        entries.push(VersionRef {
            key: &key,
            version_id: self
                .version_id
                .as_deref()
                .filter(|v| !v.is_empty())
                .unwrap_or("null"),
            last_modified,
            is_latest: self.is_latest,
            is_delete_marker: self.is_delete_marker,
            size,
            e_tag: e_tag.as_deref().map(|e_tag| e_tag.trim_matches('"')),
        });
        Ok(())
    }
}

/// Keys are form-encoded when the answer says `EncodingType url`, and only then: some servers
/// ignore the request for it.
fn decode_key(key: Cow<'_, str>, url_encoded: bool) -> Result<Cow<'_, str>, String> {
    if !url_encoded || !key.contains(['%', '+']) {
        return Ok(key);
    }
    percent_decode_str(&key.replace('+', " "))
        .decode_utf8()
        .map(|decoded| Cow::Owned(decoded.into_owned()))
        .map_err(|e| format!("{key:?} does not decode to UTF-8: {e}"))
}

/// S3 lists keys in the order of their bytes.
fn check_ascending(listing: &Listing) -> Result<(), PageError> {
    let mut last: [Option<&Row>; 2] = [None, None];
    for row in listing.rows() {
        let last = &mut last[usize::from(row.is_delete_marker)];
        let before = last.replace(row).map_or("", |row| listing.key_of(row));
        if before > listing.key_of(row) {
            return Err(PageError::Backwards {
                before: before.to_owned(),
                after: listing.key_of(row).to_owned(),
            });
        }
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
        page.listing
            .iter()
            .map(|planned| planned.version.key.to_owned())
            .collect()
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
        let version = page.listing.get(0).version;
        assert_eq!((version.key, version.version_id), ("k", "null"));
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
