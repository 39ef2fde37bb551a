//! One page of `ListObjectVersions`, read in document order.
//!
//! The AWS SDKs hand out versions and delete markers as two lists, which loses the bucket's own
//! order (aws/aws-sdk-cpp#1649); this reads the response document itself.
//! Source: Amazon S3 API Reference, "`ListObjectVersions`".

mod document;
mod element;
mod entry;
pub mod error;
mod plain;
mod times;

use std::borrow::Cow;

use crate::listing::page::document::{Frame, read};
use crate::listing::page::entry::{boolean, decode_key};
use crate::listing::page::error::PageError;
use crate::listing::rows::{Listing, Row};

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

/// Reads a page.
///
/// ```
/// use bridge_core::listing::page::parse_page;
///
/// let page = parse_page(
///     b"<ListVersionsResult>
///         <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
///         <DeleteMarker>
///             <Key>r%C3%A9sum%C3%A9</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>
///             <LastModified>2024-05-01T12:00:00.000Z</LastModified>
///         </DeleteMarker>
///         <Version>
///             <Key>r%C3%A9sum%C3%A9</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>
///             <LastModified>2024-05-01T12:00:00.000Z</LastModified>
///             <ETag>&quot;9a0364b9&quot;</ETag><Size>4</Size>
///         </Version>
///     </ListVersionsResult>",
/// )?;
/// let versions: Vec<_> = page.listing.iter().map(|row| row.version).collect();
/// assert_eq!((versions[0].key, versions[0].is_delete_marker), ("résumé", true));
/// assert_eq!((versions[1].size, versions[1].e_tag), (Some(4), Some("9a0364b9")));
/// let next = page.next.expect("the page is truncated");
/// assert_eq!((next.key.as_str(), next.version_id.as_deref()), ("résumé", Some("v1")));
/// # Ok::<(), bridge_core::listing::page::error::PageError>(())
/// ```
///
/// # Errors
/// [`PageError`]: a page that cannot be trusted as a whole is refused as a whole.
pub fn parse_page(document: &[u8]) -> Result<Page, PageError> {
    if document.len() > MOST_DOCUMENT {
        return Err(PageError::TooLong(document.len()));
    }
    let text = std::str::from_utf8(document).map_err(PageError::not_xml)?;
    // S3 says how it encodes before the first entry; some servers after the last.
    let announced = announced_encoding(text);
    let (entries, frame) = match read(text, announced, plain::read_entry) {
        Ok((_, frame)) if frame.url_encoded != announced => {
            read(text, frame.url_encoded, plain::read_entry)?
        }
        read => read?,
    };
    if let Some(prefix) = frame.common_prefix {
        let prefix = decode_key(prefix, frame.url_encoded).map_err(PageError::not_xml)?;
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
    // Whether this marker is encoded, an empty page does not show: the lesser one skips nothing.
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

/// Whether the page says before its first entry that keys are encoded.
fn announced_encoding(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(4096)];
    head.contains("EncodingType>url<")
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

#[cfg(test)]
mod tests;
