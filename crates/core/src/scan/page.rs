//! One page of `ListObjectVersions`, read in document order.
//!
//! The AWS SDKs hand out versions and delete markers as two lists, which loses the bucket's own
//! order (aws/aws-sdk-cpp#1649); this reads the response document itself.
//! Source: Amazon S3 API Reference, "`ListObjectVersions`".

mod element;
mod entry;
mod plain;
mod times;

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event as Xml};

use super::listing::{Builder, Listing, Row};
use element::Element;
use entry::{Raw, decode_key};
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

/// What a page says about itself.
#[derive(Debug, Default)]
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
    let announced = announced_encoding(text);
    let (entries, frame) = match read(text, announced, plain::read_entry) {
        Ok((_, frame)) if frame.url_encoded != announced => {
            read(text, frame.url_encoded, plain::read_entry)?
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

/// Reads what it can of an entry from behind its start tag: how many bytes it has read, and its
/// fields; `None` to leave the entry to the XML reader.
type ReadEntry<'a> = fn(&'a str, &mut Raw<'a>) -> Option<usize>;

/// One pass over the document, keys decoded as `url_encoded` says.
fn read<'a>(
    text: &'a str,
    url_encoded: bool,
    read_entry: ReadEntry<'a>,
) -> Result<(Builder, Frame<'a>), PageError> {
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
                        let rest = reader.get_mut();
                        raw = Raw::new(element);
                        if let Some(bytes) = read_entry(&text[text.len() - rest.len()..], &mut raw)
                        {
                            *rest = &rest[bytes..];
                        } else {
                            raw = Raw::new(element);
                        }
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
mod tests;
