//! Entries as S3 writes them, read without an XML reader.
//!
//! S3 and most servers write an entry as a row of `<Name>text</Name>`, without attributes, spaces,
//! comments or entities but those of an entity tag's quotes. Reading these directly takes a third
//! of the CPU that thirty XML events take. Whatever looks otherwise is left to the XML reader, as
//! a whole entry, so that both always read the same.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use crate::listing::page::element::Element;
use crate::listing::page::entry::Raw;

/// The quotes of an entity tag, as S3 writes them.
const QUOTE: &str = "&quot;";

/// Reads the elements of an entry, from behind its start tag up to its end tag: how many bytes
/// they take. `None` when the XML reader has to read them, whatever `raw` holds by then.
pub(super) fn read_entry<'a>(text: &'a str, raw: &mut Raw<'a>) -> Option<usize> {
    let mut rest = text;
    while !rest.starts_with("</") {
        let (name, inside) = start_tag(rest)?;
        if name == "Owner" {
            rest = end_tag(skip_owner(inside)?, name)?;
            continue;
        }
        let element = Element::of(name);
        let (value, behind) = if element == Element::ETag {
            entity_tag(inside)?
        } else {
            until_tag(inside)?
        };
        raw.set(element, Cow::Borrowed(value));
        rest = end_tag(behind, name)?;
    }
    Some(text.len() - rest.len())
}

/// A start tag without prefix and attributes: its name, and what is behind it.
fn start_tag(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    let (name, behind) = inside.split_at(memchr(b'>', inside.as_bytes())?);
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    is_plain.then(|| (name, &behind[1..]))
}

fn end_tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix("</")?
        .strip_prefix(name)?
        .strip_prefix('>')
}

/// Text up to the next tag, if it has no entities.
fn until_tag(text: &str) -> Option<(&str, &str)> {
    let end = memchr2(b'<', b'&', text.as_bytes())?;
    let (value, behind) = text.split_at(end);
    behind.starts_with('<').then_some((value, behind))
}

/// The text of an entity tag without its quotes.
fn entity_tag(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix(QUOTE) else {
        return until_tag(text);
    };
    let (value, behind) = quoted.split_at(memchr(b'&', quoted.as_bytes())?);
    (!value.contains('<')).then_some((value, behind.strip_prefix(QUOTE)?))
}

/// The owner of an entry, who does not matter: elements with text up to the end tag.
fn skip_owner(text: &str) -> Option<&str> {
    let mut rest = text;
    while !rest.starts_with("</") {
        let (name, inside) = start_tag(rest)?;
        rest = end_tag(until_tag(inside)?.1, name)?;
    }
    Some(rest)
}
