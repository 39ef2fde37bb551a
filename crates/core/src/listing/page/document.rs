//! One pass over a listing document: its entries, and what it says about itself.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event as Xml};

use crate::listing::page::element::Element;
use crate::listing::page::entry::Raw;
use crate::listing::page::error::PageError;
use crate::listing::page::times::Times;
use crate::listing::rows::Builder;

/// What a page says about itself.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) url_encoded: bool,
    pub(super) is_truncated: Option<Cow<'a, str>>,
    pub(super) next_key: Option<Cow<'a, str>>,
    pub(super) next_version: Option<Cow<'a, str>>,
    pub(super) common_prefix: Option<Cow<'a, str>>,
}

/// Reads what it can of an entry from behind its start tag: how many bytes it has read, and its
/// fields; `None` to leave the entry to the XML reader, whatever the fields hold by then.
pub(super) type ReadEntry<'a> = fn(&'a str, &mut Raw<'a>) -> Option<usize>;

/// Reads a document. Keys are decoded as `url_encoded` says.
///
/// # Errors
/// [`PageError`] when it is not a whole listing, or has an entry that cannot be read.
pub(super) fn read<'a>(
    text: &'a str,
    url_encoded: bool,
    read_entry: ReadEntry<'a>,
) -> Result<(Builder, Frame<'a>), PageError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut pass = Pass::new(text, url_encoded);
    loop {
        match reader.read_event().map_err(PageError::not_xml)? {
            Xml::Start(tag) => {
                pass.open(tag.local_name().into_inner())?;
                let rest = reader.get_mut();
                let read = pass.read_entry(&text[text.len() - rest.len()..], read_entry);
                *rest = &rest[read..];
            }
            Xml::Text(part) => pass.add_text(part.into_inner()),
            Xml::CData(part) => pass.add_text(part.into_inner()),
            Xml::GeneralRef(reference) => pass.add_character(resolve(&reference)?),
            Xml::End(_) => pass.close()?,
            Xml::Eof => return pass.finish(),
            _ => {}
        }
    }
}

/// How far a pass has come.
struct Pass<'a> {
    url_encoded: bool,
    /// The elements that are open, the root first.
    path: Vec<Element>,
    /// The text since the last tag.
    text: Cow<'a, str>,
    /// The fields of the entry that is open.
    raw: Raw<'a>,
    /// Entries so far.
    count: usize,
    entries: Builder,
    times: Times,
    frame: Frame<'a>,
    /// The root element has ended.
    is_complete: bool,
}

impl<'a> Pass<'a> {
    fn new(document: &str, url_encoded: bool) -> Self {
        Self {
            url_encoded,
            path: Vec::with_capacity(5),
            text: Cow::Borrowed(""),
            raw: Raw::default(),
            count: 0,
            entries: Builder::with_capacity(1000, document.len() / 3),
            times: Times::default(),
            frame: Frame::default(),
            is_complete: false,
        }
    }

    /// An element begins.
    fn open(&mut self, name: &str) -> Result<(), PageError> {
        let element = Element::of(name);
        if self.path.is_empty() && element != Element::Listing {
            return Err(PageError::NotAListing(name.to_owned()));
        }
        self.path.push(element);
        self.text = Cow::Borrowed("");
        if self.is_at_entry() {
            self.raw = Raw::new(element);
        }
        Ok(())
    }

    /// Whether the element that is open, directly in the root, is an entry.
    fn is_at_entry(&self) -> bool {
        matches!(*self.path, [_, Element::Version | Element::DeleteMarker])
    }

    /// The fast path: reads the fields of the entry that has just begun, if one has, from `behind` its
    /// start tag. Tells how many bytes it has read: 0 when the XML reader must read them.
    fn read_entry(&mut self, behind: &'a str, read_entry: ReadEntry<'a>) -> usize {
        let Some(&element) = self.path.last().filter(|_| self.is_at_entry()) else {
            return 0;
        };
        read_entry(behind, &mut self.raw).unwrap_or_else(|| {
            self.raw = Raw::new(element);
            0
        })
    }

    /// The text of an element comes in one part, unless it holds entities or CDATA.
    fn add_text(&mut self, part: Cow<'a, str>) {
        if self.text.is_empty() {
            self.text = part;
        } else {
            self.text.to_mut().push_str(&part);
        }
    }

    /// A character that was written as an entity or by its number.
    fn add_character(&mut self, character: char) {
        // Entity tags come in quotes, which are not part of them: without these, the text
        // is a part of the document as it stands.
        if character != '"' || self.path.last() != Some(&Element::ETag) {
            self.text.to_mut().push(character);
        }
    }

    /// An element ends.
    fn close(&mut self) -> Result<(), PageError> {
        let text = std::mem::take(&mut self.text);
        match *self.path {
            [_, Element::Version | Element::DeleteMarker, field] => self.raw.set(field, text),
            [_, Element::Version | Element::DeleteMarker] => self.add_entry()?,
            [_, Element::CommonPrefixes, Element::Prefix] if !text.is_empty() => {
                self.frame.common_prefix = Some(text);
            }
            [_, field] => self.frame.set(field, text),
            [_] => self.is_complete = true,
            _ => {}
        }
        self.path.pop();
        Ok(())
    }

    fn add_entry(&mut self) -> Result<(), PageError> {
        self.count += 1;
        std::mem::take(&mut self.raw).add_to(
            &mut self.entries,
            self.count,
            self.url_encoded,
            &mut self.times,
        )
    }

    fn finish(self) -> Result<(Builder, Frame<'a>), PageError> {
        if self.is_complete && self.path.is_empty() {
            return Ok((self.entries, self.frame));
        }
        Err(PageError::not_xml("it ends before its root element does"))
    }
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

fn resolve(reference: &BytesRef<'_>) -> Result<char, PageError> {
    if let Some(character) = reference.resolve_char_ref().map_err(PageError::not_xml)? {
        return Ok(character);
    }
    resolve_predefined_entity(reference)
        .and_then(|text| text.chars().next())
        .ok_or_else(|| PageError::not_xml(format!("unknown entity &{};", &**reference)))
}
