//! Reading a key's versions from the bucket.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::failure::{Failure, FailureKind};
use crate::listing::dialect::Dialect;
use crate::listing::lister::{ListError, Lister};
use crate::listing::page::error::PageError;
use crate::listing::page::{Marker, parse_page};
use crate::listing::rank::{Arranged, arrange_chain, by_key, rank_chain};
use crate::listing::repeats::Chain;
use crate::live::exact::run::{Listed, Sent};
use crate::live::exact::version::Version;
use crate::live::store::LiveStoreError;

/// Why nothing of a key could be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The server does not answer.
    #[error("listing the key: {0}")]
    List(#[from] ListError),
    /// Its answer makes no sense.
    #[error("listing the key: {0}")]
    Page(#[from] PageError),
    /// Where the run begins could not be stored.
    #[error(transparent)]
    Store(#[from] LiveStoreError),
}

impl Failure for ReadError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::List(error) => error.kind(),
            Self::Page(_) => FailureKind::Permanent,
            Self::Store(error) => error.kind(),
        }
    }
}

/// What is read of a key.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// How far it was sent: older pages than the one where that stands are not read.
    pub sent: Option<&'a Sent>,
    /// Read all pages nevertheless: an upload in parts was reported, which may stand anywhere.
    pub is_whole: bool,
    /// What is known of the server.
    pub dialect: Dialect,
}

/// Reads a key, page by page, and counts its requests.
///
/// # Errors
/// [`ReadError`]: one request is not repeated here.
pub async fn read(
    bucket: &dyn Lister,
    key: &str,
    wanted: Wanted<'_>,
    requests: &AtomicU64,
) -> Result<Listed, ReadError> {
    let mut chain = Chain::default();
    let mut dialect = wanted.dialect;
    let mut marker: Option<Marker> = None;
    let mut is_cut = false;
    let mut is_newest_first = false;
    loop {
        requests.fetch_add(1, Relaxed);
        let document = bucket.list(key, marker.as_ref()).await?;
        let page = parse_page(&document)?;
        let mut listing = page.listing;
        by_key(&mut listing, &mut dialect)?;
        let goes_on = page.next.as_ref().filter(|next| next.key == key);
        listing.retain(|row| row.version.key == key);
        if marker.is_none() {
            is_newest_first = listing.rows().first().is_some_and(|row| row.is_latest);
        }
        let has_last = wanted.sent.is_some_and(|sent| {
            let mut versions = listing.iter().map(|row| Version::of(&row));
            versions.any(|version| version.identity() == sent.last)
        });
        let is_new = listing.is_empty() || chain.push(listing);
        let Some(next) = goes_on else { break };
        if !is_new || marker.as_ref() == Some(next) {
            return Err(PageError::NoAdvance {
                key: next.key.clone(),
                version_id: next.version_id.clone(),
            }
            .into());
        }
        if has_last && is_newest_first && !wanted.is_whole {
            is_cut = true;
            break;
        }
        marker = Some(next.clone());
    }
    let mut parts = chain.take();
    arrange_chain(&mut parts, &mut dialect, &mut Arranged::default())?;
    rank_chain(&mut parts);
    let newest_first = parts.iter().flat_map(|part| part.iter());
    let mut versions: Vec<Version> = newest_first.map(|row| Version::of(&row)).collect();
    versions.reverse();
    Ok(Listed { versions, is_cut })
}
