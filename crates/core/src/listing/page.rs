//! One page of `ListObjectVersions`, read in document order.
//!
//! The AWS SDKs hand out versions and delete markers as two lists, which loses the bucket's own
//! order (aws/aws-sdk-cpp#1649); this reads the response document itself.
//! Source: Amazon S3 API Reference, "`ListObjectVersions`".

mod element;
mod entry;
pub mod error;
mod plain;
mod times;

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event as Xml};

use crate::listing::page::element::Element;
use crate::listing::page::entry::{Raw, boolean, decode_key};
use crate::listing::page::error::PageError;
use crate::listing::page::times::Times;
use crate::listing::rows::{Builder, Listing, Row};

/// Bytes of a page, at most: three times what the largest page of S3 has. That is 1,000 entries of a key of
/// 1,024 bytes, percent-encoded, a version id of 1,024 and half a kilobyte of the rest: 5 MB. A document
/// beyond this is none; it is not read on.
pub const MOST_DOCUMENT: usize = 16 * 1024 * 1024;

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

/// What a page says about itself.
#[derive(Debug, Default)]
struct Frame<'a> {
    url_encoded: bool,
    is_truncated: Option<Cow<'a, str>>,
    next_key: Option<Cow<'a, str>>,
    next_version: Option<Cow<'a, str>>,
    common_prefix: Option<Cow<'a, str>>,
}

/// Reads a page.
///
/// # Errors
/// [`PageError`]: a page that cannot be trusted as a whole is refused as a whole.
pub fn parse_page(document: &[u8]) -> Result<Page, PageError> {
    if document.len() > MOST_DOCUMENT {
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
    if let Some(prefix) = frame.common_prefix {
        let prefix = decode_key(prefix, frame.url_encoded).map_err(not_xml)?;
        return Err(PageError::CommonPrefix {
            prefix: prefix.into_owned(),
        });
    }
    let listing = entries.finish();
    check_ascending(&listing)?;
    let next = next_marker(&listing, frame)?;
    Ok(Page { listing, next })
}

/// Where the next page begins. Only a clear `false` in `IsTruncated` ends a listing.
///
/// The page's own last entry says where to continue, rather than `NextKeyMarker`: Ceph encodes keys and not
/// markers, and strips control characters from these; without a version id it would begin with
/// the key again.
fn next_marker(listing: &Listing, frame: Frame<'_>) -> Result<Option<Marker>, PageError> {
    if frame.is_truncated.as_deref().and_then(boolean) == Some(false) {
        return Ok(None);
    }
    let next_version = frame.next_version.filter(|id| !id.is_empty());
    if let Some(last) = last_entry(listing) {
        let is_of_last_key = |id: &str| {
            let mut rows = listing.rows().iter();
            rows.any(|row| listing.same_key(row, last) && listing.version_id_of(row) == id)
        };
        let own = last.says_version_id.then(|| listing.version_id_of(last));
        return Ok(Some(Marker {
            key: listing.key_of(last).to_owned(),
            version_id: next_version
                .filter(|id| is_of_last_key(id))
                .or(own.map(Cow::Borrowed))
                .map(Cow::into_owned),
        }));
    }
    let Some(key) = frame.next_key.filter(|key| !key.is_empty()) else {
        return Err(PageError::NoNextMarker {
            is_truncated: frame
                .is_truncated
                .map_or("missing".to_owned(), |text| format!("{text:?}")),
        });
    };
    // Whether this marker is encoded, an empty page does not tell: the lesser one skips nothing.
    let decoded = decode_key(key.clone(), frame.url_encoded).unwrap_or_else(|_| key.clone());
    Ok(Some(Marker {
        key: decoded.min(key).into_owned(),
        version_id: next_version.map(Cow::into_owned),
    }))
}

/// The entry behind which the next page begins: the last one of the largest key, which is not the
/// document's last where delete markers are listed apart.
fn last_entry(listing: &Listing) -> Option<&Row> {
    listing
        .rows()
        .iter()
        .max_by(|a, b| listing.key_of(a).cmp(listing.key_of(b)))
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
                    [_, Element::CommonPrefixes, Element::Prefix] if !leaf.is_empty() => {
                        frame.common_prefix = Some(std::mem::take(&mut leaf));
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
            Element::IsTruncated => self.is_truncated = Some(text),
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
