//! One entry of a listing: a version or a delete marker.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::listing::page::element::Element;
use crate::listing::page::error::PageError;
use crate::listing::page::times::Times;
use crate::listing::rows::Builder;
use crate::listing::version::{MOST_TEXT, VersionRef};
use crate::text::{MOST_SHOWN, shown};

/// Fields of an entry as they come, before decoding; most are parts of the document.
#[derive(Default)]
pub(super) struct Raw<'a> {
    key: Option<Cow<'a, str>>,
    version_id: Option<Cow<'a, str>>,
    last_modified: Option<Cow<'a, str>>,
    /// `None` where the page does not say.
    is_latest: Option<bool>,
    is_delete_marker: bool,
    size: Option<Cow<'a, str>>,
    e_tag: Option<Cow<'a, str>>,
}

impl<'a> Raw<'a> {
    /// Of a `Version` or a `DeleteMarker`.
    pub(super) fn new(element: Element) -> Self {
        Self {
            is_delete_marker: element == Element::DeleteMarker,
            ..Self::default()
        }
    }

    /// Takes the text of one of the entry's elements.
    pub(super) fn set(&mut self, field: Element, text: Cow<'a, str>) {
        match field {
            Element::Key => self.key = Some(text),
            Element::VersionId => self.version_id = Some(text),
            Element::LastModified => self.last_modified = Some(text),
            Element::IsLatest => self.is_latest = boolean(&text),
            Element::Size => self.size = Some(text),
            Element::ETag => self.e_tag = Some(text),
            _ => {}
        }
    }

    /// Checks and decodes the entry, the page's `entry`th from 1.
    pub(super) fn add_to(
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
        if key.is_empty() {
            return Err(bad("Key", "", "it is empty".to_owned()));
        }
        let last_modified = self
            .last_modified
            .ok_or_else(|| bad("LastModified", &key, missing()))?;
        let last_modified = times
            .parse(&last_modified)
            .map_err(|e| bad("LastModified", &key, e))?;
        let size = match self.size.filter(|_| !self.is_delete_marker) {
            None => None,
            Some(text) => Some(size_of(&text).map_err(|reason| bad("Size", &key, reason))?),
        };
        let e_tag = self.e_tag.filter(|_| !self.is_delete_marker);
        let version_id = self.version_id.as_deref().filter(|v| !v.is_empty());
        for (element, text) in [
            ("Key", Some(&*key)),
            ("VersionId", version_id),
            ("ETag", e_tag.as_deref()),
        ] {
            if let Some(text) = text.filter(|text| text.len() > MOST_TEXT) {
                let bytes = text.len();
                let reason = format!("it has {bytes} bytes, allowed are {MOST_TEXT}");
                let shown = shown(&key, MOST_SHOWN);
                return Err(bad(element, &shown, reason));
            }
        }
        let row = entries.push(VersionRef {
            key: &key,
            version_id: version_id.unwrap_or("null"),
            last_modified,
            is_latest: self.is_latest.unwrap_or(false),
            is_delete_marker: self.is_delete_marker,
            size,
            e_tag: e_tag
                .as_deref()
                .map(|e_tag| e_tag.trim_matches('"'))
                .filter(|e_tag| !e_tag.is_empty()),
        });
        row.says_is_latest = self.is_latest.is_some();
        row.says_version_id = version_id.is_some();
        Ok(())
    }
}

/// Bytes. A plan's numbers have signs, so that it has no room for more than half of what has 64 bits.
fn size_of(text: &str) -> Result<u64, String> {
    let size = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
    let most = i64::MAX.cast_unsigned();
    if size > most {
        return Err(format!("found {size} bytes, allowed are {most}"));
    }
    Ok(size)
}

/// A truth value as servers write it: XML Schema's `true`, `false`, `1`, `0`, and `True` or `FALSE`.
/// `None` for anything else.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Keys are form-encoded when the answer says `EncodingType url`, and only then: some servers
/// ignore the request for it.
pub(super) fn decode_key(key: Cow<'_, str>, url_encoded: bool) -> Result<Cow<'_, str>, String> {
    if !url_encoded || !key.contains(['%', '+']) {
        return Ok(key);
    }
    let key = if key.contains('+') {
        Cow::Owned(key.replace('+', " "))
    } else {
        key
    };
    percent_decode_str(&key)
        .decode_utf8()
        .map(|decoded| Cow::Owned(decoded.into_owned()))
        .map_err(|e| format!("{key:?} does not decode to UTF-8: {e}"))
}
