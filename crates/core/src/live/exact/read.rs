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
use crate::listing::rows::Listing;
use crate::live::exact::run::{Listed, Sent};
use crate::live::exact::version::{Identity, Version};
use crate::live::store::LiveStoreError;
use crate::timestamp::Timestamp;

/// Why nothing of a key could be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The server does not answer.
    #[error("listing the key: {0}")]
    List(#[from] ListError),
    /// Its answer makes no sense.
    #[error("listing the key: {0}")]
    Page(#[from] PageError),
    /// Its pages are more than the invocation has time for.
    #[error("listing the key takes longer than the invocation has: {0} pages were read")]
    Long(u64),
    /// Where the run begins could not be stored.
    #[error(transparent)]
    Store(#[from] LiveStoreError),
}

impl Failure for ReadError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::List(error) => error.kind(),
            Self::Page(_) => FailureKind::Permanent,
            Self::Long(_) => FailureKind::Transient,
            Self::Store(error) => error.kind(),
        }
    }
}

/// What is read of a key: pages, the newest versions first, until all of this was on one of them.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What was sent last.
    pub sent: Option<&'a Sent>,
    /// A version from before this time, where nothing was sent.
    pub since: Timestamp,
    /// Ids of versions that were reported and may stand anywhere: uploads in parts.
    pub ids: &'a [&'a str],
    /// The version with which a run was begun.
    pub begun: Option<&'a Identity>,
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
    let mut missing = Missing::of(wanted);
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
        missing.look_at(&listing);
        let is_new = listing.is_empty() || chain.push(listing);
        let Some(next) = goes_on else { break };
        if !is_new || marker.as_ref() == Some(next) {
            return Err(PageError::NoAdvance {
                key: next.key.clone(),
                version_id: next.version_id.clone(),
            }
            .into());
        }
        if missing.is_nothing() && is_newest_first {
            is_cut = true;
            break;
        }
        marker = Some(next.clone());
    }
    let mut parts = chain.take();
    arrange_chain(&mut parts, &mut dialect, &mut Arranged::default())?;
    rank_chain(&mut parts);
    let newest_first = parts.iter().flat_map(Listing::iter);
    let mut versions: Vec<Version> = newest_first.map(|row| Version::of(&row)).collect();
    versions.reverse();
    Ok(Listed { versions, is_cut })
}

/// What no page has shown yet.
struct Missing<'a> {
    wanted: Wanted<'a>,
    has_last: bool,
    has_begun: bool,
    ids: Vec<&'a str>,
}

impl<'a> Missing<'a> {
    fn of(wanted: Wanted<'a>) -> Self {
        Self {
            wanted,
            has_last: false,
            has_begun: wanted.begun.is_none(),
            ids: wanted.ids.to_vec(),
        }
    }

    fn look_at(&mut self, page: &Listing) {
        for row in page.iter() {
            let version = Version::of(&row);
            let identity = version.identity();
            self.has_last |= match self.wanted.sent {
                Some(sent) => sent.last == identity,
                None => version.last_modified < self.wanted.since,
            };
            self.has_begun |= self.wanted.begun == Some(&identity);
            self.ids.retain(|id| *id != version.id);
        }
    }

    fn is_nothing(&self) -> bool {
        self.has_last && self.has_begun && self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::event::Event;
    use crate::live::exact::run::{after, from};
    use crate::timestamp::Timestamp;

    /// Pages of a key's versions, newest first, `size` each.
    struct Pages {
        ids: Vec<&'static str>,
        size: usize,
        asked: Mutex<Vec<Option<String>>>,
    }

    #[async_trait]
    impl Lister for Pages {
        async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
            let marker = marker.and_then(|marker| marker.version_id.clone());
            let is_marker = |id: &&str| Some(*id) == marker.as_deref();
            let begin = self.ids.iter().position(is_marker).map_or(0, |p| p + 1);
            self.asked.lock().unwrap().push(marker);
            let rest = &self.ids[begin..];
            let mut xml = format!(
                "<ListVersionsResult><IsTruncated>{}</IsTruncated>",
                rest.len() > self.size
            );
            for id in rest.iter().take(self.size) {
                // What else begins so comes behind the key.
                let key = if *id == "other" { "key/2" } else { prefix };
                let second = self.ids.len() - self.ids.iter().position(|i| i == id).unwrap();
                let is_latest = begin == 0 && *id == self.ids[0];
                let _ = write!(
                    xml,
                    "<Version><Key>{key}</Key><VersionId>{id}</VersionId>\
                     <IsLatest>{is_latest}</IsLatest>\
                     <LastModified>2024-05-01T12:00:{second:02}.000Z</LastModified>\
                     <ETag>\"{id}\"</ETag><Size>1</Size></Version>"
                );
            }
            Ok(Bytes::from(xml + "</ListVersionsResult>"))
        }
    }

    async fn read_of(pages: &Pages, wanted: Wanted<'_>) -> (Listed, u64) {
        let requests = AtomicU64::new(0);
        let listed = read(pages, "key", wanted, &requests).await.unwrap();
        (listed, requests.into_inner())
    }

    #[tokio::test]
    async fn pages_are_read_down_to_the_version_sent_last() {
        let pages = Pages {
            ids: vec!["v5", "v4", "v3", "v2", "v1", "other"],
            size: 2,
            asked: Mutex::default(),
        };
        let all = Wanted {
            sent: None,
            since: Timestamp(i64::MIN),
            ids: &[],
            begun: None,
            dialect: Dialect::of_s3(),
        };
        let (listed, requests) = read_of(&pages, all).await;
        let ids = |listed: &Listed| -> Vec<String> {
            listed.versions.iter().map(|v| v.id.clone()).collect()
        };
        assert_eq!(ids(&listed), ["v1", "v2", "v3", "v4", "v5"]);
        assert_eq!((listed.is_cut, requests), (false, 3));
        let all_listed = listed.clone();
        let of_id = |listed: &Listed, id: &str| -> Identity {
            let found = listed.versions.iter().find(|version| version.id == id);
            found.unwrap().identity()
        };

        let nothing: [&Event; 0] = [];
        let run = from(&listed, Timestamp(i64::MIN), &nothing);
        let sent = after(&listed, None, &run, 4).unwrap();
        let down_to_v4 = Wanted {
            sent: Some(&sent),
            ..all
        };
        let (listed, requests) = read_of(&pages, down_to_v4).await;
        assert_eq!(ids(&listed), ["v4", "v5"]);
        assert_eq!((listed.is_cut, requests), (true, 1));

        for (ids, begun, expected) in [
            (&["v4"][..], None, 1),
            (&["v3"], None, 2),
            (&["v4", "v3"], Some("v5"), 2),
            (&[], Some("v1"), 3),
            (&["gone"], None, 3),
        ] {
            let begun = begun.map(|id| of_id(&all_listed, id));
            let further = Wanted {
                ids,
                begun: begun.as_ref(),
                ..down_to_v4
            };
            let (listed, requests) = read_of(&pages, further).await;
            assert_eq!(
                (listed.is_cut, requests),
                (expected < 3, expected),
                "{ids:?}"
            );
        }
        assert_eq!(
            pages.asked.lock().unwrap().last(),
            Some(&Some("v2".to_owned())),
            "from behind the page's last version on"
        );
        // Where nothing was sent, down to what is too old.
        let recent = Wanted {
            since: all_listed.versions[3].last_modified,
            ..all
        };
        let (listed, requests) = read_of(&pages, recent).await;
        assert_eq!((ids(&listed).len(), requests), (4, 2));
    }

    #[tokio::test]
    async fn a_key_without_versions_is_one_request() {
        let pages = Pages {
            ids: vec!["other"],
            size: 1,
            asked: Mutex::default(),
        };
        let wanted = Wanted {
            sent: None,
            since: Timestamp(i64::MAX),
            ids: &[],
            begun: None,
            dialect: Dialect::default(),
        };
        let (listed, requests) = read_of(&pages, wanted).await;
        assert_eq!((listed, requests), (Listed::default(), 1));
    }
}
