//! What a scan has listed: what is in memory, and what is still to be listed. No I/O.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::Page;
use bridge_core::listing::page::error::PageError;

use crate::plan::doubts::Doubts;
use crate::plan::manifest::{Manifest, Range, Summary};
use crate::plan::run;
use crate::scan::buffer::Buffer;
use crate::scan::filter::Filter;
use crate::scan::keyspace::Keyspace;

/// How far a scan has come.
pub(super) struct Progress {
    pub(super) keyspace: Keyspace,
    /// Rows that are in no run yet.
    buffer: Buffer,
    /// Pages read, those before this segment included.
    pub(super) pages: u64,
    listed: u64,
    doubts: Doubts,
}

/// What is to be committed with the rows that were taken at the same time.
pub(super) struct Cursors {
    ranges: Vec<Range>,
    dialect: Dialect,
    pages: u64,
    listed: u64,
    doubts: Doubts,
}

impl Progress {
    /// Continues where the manifest's last commit was.
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self {
            keyspace: Keyspace::new(manifest.ranges.clone(), manifest.dialect),
            buffer: Buffer::default(),
            pages: manifest.pages,
            listed: manifest.listed,
            doubts: manifest.doubts.clone(),
        }
    }

    /// Takes in a page of a range, and keeps what `filter` chooses of the keys that it completes. Returns how
    /// many versions these have.
    ///
    /// # Errors
    /// [`PageError`] when the page cannot be trusted.
    pub(super) fn take_in(
        &mut self,
        range: u64,
        page: Page,
        filter: &Filter,
    ) -> Result<u64, PageError> {
        let mut complete = self.keyspace.accept(range, page)?;
        self.pages += 1;
        let listed = complete.iter().map(|listing| listing.len() as u64).sum();
        self.listed += listed;
        filter.choose(&mut complete);
        for listing in complete {
            self.buffer.push(listing);
        }
        for (key, doubt) in self.keyspace.take_doubts() {
            if filter.takes_key(&key) {
                self.doubts.add(key, doubt);
            }
        }
        Ok(listed)
    }

    /// A key whose order is a guess, if there is one.
    pub(super) fn ambiguous_key(&self) -> Option<String> {
        let Self {
            keyspace, doubts, ..
        } = self;
        doubts
            .ambiguous(keyspace.dialect(), keyspace.is_done())
            .first
    }

    /// Whether it is time for a run: `share` bytes of memory are taken.
    pub(super) fn is_full(&self, share: usize) -> bool {
        let Self {
            buffer, keyspace, ..
        } = self;
        makes_a_run(
            buffer.bytes(),
            buffer.len(),
            keyspace.waiting_bytes(),
            share,
        )
    }

    /// Whether there are rows for a run.
    pub(super) fn has_rows(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Takes the rows out of memory, with the cursors that belong to them.
    pub(super) fn take(&mut self) -> (Buffer, Cursors) {
        let cursors = Cursors {
            ranges: self.keyspace.remaining(),
            dialect: self.keyspace.dialect(),
            pages: self.pages,
            listed: self.listed,
            doubts: self.doubts.clone(),
        };
        (std::mem::take(&mut self.buffer), cursors)
    }

    /// A page has proven that keys were ordered wrongly: what was listed is void, in runs and in memory.
    pub(super) fn begin_again(&mut self, manifest: &mut Manifest) {
        self.keyspace.begin_again(vec![Range::default()]);
        self.buffer = Buffer::default();
        self.listed = 0;
        self.doubts = Doubts::default();
        manifest.runs.clear();
        manifest.summary = Summary::default();
    }
}

impl Cursors {
    /// Sets what the manifest says is still to be listed.
    pub(super) fn write_to(self, manifest: &mut Manifest) {
        manifest.ranges = self.ranges;
        manifest.dialect = self.dialect;
        let ambiguous = (self.doubts).ambiguous(self.dialect, manifest.is_complete());
        manifest.summary.ambiguous = ambiguous;
        manifest.doubts = self.doubts;
        manifest.pages = self.pages;
        manifest.listed = self.listed;
    }
}

/// Whether `rows` of so many bytes are to be written: `share` bytes are taken, by them and by those that wait
/// for the rest of their key. However many wait, a run is of some size, and of no more rows than a reader
/// takes.
fn makes_a_run(bytes: usize, rows: usize, waiting: usize, share: usize) -> bool {
    bytes >= share.saturating_sub(waiting).max(share / 4) || rows >= run::MOST_ROWS
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::page::Marker;
    use bridge_core::listing::rows::Builder;
    use bridge_core::listing::version::VersionRef;
    use bridge_core::listing::ways::Doubt;
    use bridge_core::timestamp::Timestamp;

    use super::*;
    use crate::plan::manifest::Run;
    use crate::plan::position::Position;

    fn page(keys: &[&str], next: &str) -> Page {
        let mut builder = Builder::default();
        for key in keys {
            builder.push(VersionRef {
                key,
                version_id: "v",
                last_modified: Timestamp(0),
                is_latest: true,
                is_delete_marker: false,
                size: Some(0),
                e_tag: None,
            });
        }
        Page {
            listing: builder.finish(),
            next: Some(Marker {
                key: next.to_owned(),
                version_id: None,
            }),
        }
    }

    fn run() -> Run {
        let position = Position {
            effective_time: Timestamp(0),
            key: "a".to_owned(),
            rank: 0,
        };
        Run {
            name: "run".to_owned(),
            rows: 5,
            bytes: 500,
            footer_crc32: None,
            first: position.clone(),
            last: position,
            after: None,
        }
    }

    #[test]
    fn what_was_listed_before_a_scan_begins_again_is_counted_no_more() {
        let scanned = Manifest {
            ranges: vec![Range {
                after: Some("a".to_owned()),
                until: None,
            }],
            runs: vec![run()],
            pages: 3,
            listed: 5,
            summary: Summary {
                events: 5,
                created: 5,
                by_month: [("1970-01".to_owned(), 5)].into(),
                first: Some(Timestamp(0)),
                ..Summary::default()
            },
            ..Manifest::new("j-1".parse().unwrap(), "ledger")
        };
        let mut manifest = scanned.clone();
        manifest.doubts.add(
            "a".to_owned(),
            Doubt {
                tie: true,
                lists: false,
                end: false,
            },
        );
        let mut progress = Progress::new(&manifest);
        let request = progress.keyspace.next_request(1).unwrap();
        let taken = progress.take_in(request.range, page(&["b", "c"], "c"), &Filter::default());
        assert!(taken.unwrap() > 0);
        assert!(progress.has_rows());

        progress.begin_again(&mut manifest);

        assert!(!progress.has_rows(), "rows of before are still in memory");
        let (_, cursors) = progress.take();
        cursors.write_to(&mut manifest);
        let anew = Manifest {
            pages: scanned.pages + 1, // these were paid for
            dialect: manifest.dialect,
            ..Manifest::new(scanned.job_id, &scanned.bucket)
        };
        assert_eq!(manifest, anew);
    }

    #[test]
    fn a_run_is_of_some_size_and_of_no_more_rows_than_a_reader_takes() {
        for (bytes, rows, waiting, expected) in [
            (999, 10, 0, false),
            (1_000, 10, 0, true),
            (600, 10, 400, true),
            (249, 10, 5_000, false),
            (250, 10, 5_000, true),
            (1, run::MOST_ROWS - 1, 0, false),
            (1, run::MOST_ROWS, 0, true),
        ] {
            assert_eq!(makes_a_run(bytes, rows, waiting, 1_000), expected);
        }
    }
}
