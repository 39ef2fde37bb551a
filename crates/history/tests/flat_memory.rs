//! Memory stays flat, however large the bucket and its runs: a scan holds few rows at a time, also while a
//! slow store takes a run, and the writer of a run holds one row group beside the file.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::{Marker, parse_page};
use bridge_core::listing::version::{PlannedRef, VersionRef};
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::run::{SortedRows, write};
use bridge_history::plan::store::{PlanError, PlanStore};
use bridge_history::scan::buffer::Buffer;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::scanner::{Scan, ScanSettings};
use bytes::Bytes;
use peak_alloc::PeakAlloc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One test at a time: what is allocated is counted in one place.
static TURN: Mutex<()> = Mutex::new(());

const KEYS: usize = 20_000;
const PAGE: usize = 100;
const LISTERS: usize = 4;

fn key(number: usize) -> String {
    format!("logs/2024/{number:08}.json.gz")
}

/// A page of `ListObjectVersions` with the keys from `first` on.
fn document(first: usize) -> Bytes {
    let end = (first + PAGE).min(KEYS);
    let versions: Vec<String> = (first..end)
        .map(|number| {
            format!(
                "<Version><Key>{}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>\
                 <LastModified>2024-05-01T12:00:00.000Z</LastModified><Size>1</Size></Version>",
                key(number)
            )
        })
        .collect();
    let is_truncated = end < KEYS;
    format!(
        "<ListVersionsResult><IsTruncated>{is_truncated}</IsTruncated>{}</ListVersionsResult>",
        versions.concat()
    )
    .into()
}

/// Which keys have been handed to the scan, and how many of them are safe in runs.
struct Counted {
    listed: Vec<bool>,
    committed: usize,
    most_held: usize,
}

/// A quick bucket beside a slow store: a run takes as long to write as all pages take to list.
struct World(Mutex<Counted>);

#[async_trait]
impl Lister for World {
    async fn list(&self, _: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        sleep(Duration::from_millis(10)).await;
        let first = (0..KEYS)
            .find(|number| marker.is_none_or(|marker| key(*number) > marker.key))
            .unwrap_or(KEYS);
        let mut counted = self.0.lock().unwrap();
        for listed in counted.listed.iter_mut().skip(first).take(PAGE) {
            *listed = true;
        }
        let listed = counted.listed.iter().filter(|listed| **listed).count();
        counted.most_held = counted.most_held.max(listed - counted.committed);
        Ok(document(first))
    }
}

#[async_trait]
impl PlanStore for World {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        sleep(Duration::from_secs(10)).await;
        Ok(())
    }

    async fn get(&self, _: &str, _: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        unreachable!("only written")
    }
}

#[async_trait]
impl Commit for World {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        let rows: u64 = manifest.runs.iter().map(|run| run.rows).sum();
        self.0.lock().unwrap().committed = usize::try_from(rows).unwrap();
        Ok(())
    }
}

/// Bytes of memory that a row takes in a scan's buffer.
fn bytes_a_row() -> usize {
    let mut buffer = Buffer::default();
    buffer.push(parse_page(&document(0)).unwrap().listing);
    buffer.bytes() / buffer.len()
}

#[tokio::test(start_paused = true)]
async fn a_scan_holds_few_rows_also_while_a_slow_store_takes_a_run() {
    let _turn = TURN.lock();
    let quarter = 1_000;
    let settings = ScanSettings {
        listers: LISTERS,
        memory_budget: 4 * quarter * bytes_a_row(),
        commit_every: Duration::from_hours(24),
        ..ScanSettings::default()
    };
    let world = Arc::new(World(Mutex::new(Counted {
        listed: vec![false; KEYS],
        committed: 0,
        most_held: 0,
    })));
    let scan = Scan {
        lister: Arc::<World>::clone(&world),
        store: &*world,
        commit: &*world,
        filter: &Filter::default(),
        refuse_ambiguous: false,
        settings: &settings,
        run_prefix: "run".to_owned(),
        stop: CancellationToken::new(),
        random: fastrand::Rng::with_seed(1),
    };
    let mut manifest = Manifest::new("job".parse().unwrap(), "bucket");
    scan.run(&mut manifest).await.unwrap();
    assert!(manifest.is_complete());
    let counted = world.0.lock().unwrap();
    assert_eq!(counted.committed, KEYS, "each key once");
    // A quarter is written while the next one fills up; a page of each lister waits to be taken in, and
    // each lister's last page may end amid what another one lists.
    let allowed = 2 * quarter + 2 * LISTERS * PAGE;
    assert!(
        counted.most_held <= allowed,
        "{} rows were held, allowed are {allowed}",
        counted.most_held
    );
}

/// So many versions of one key, made as they are asked for.
struct Versions {
    key: String,
    rows: i64,
}

impl SortedRows for Versions {
    fn rows(&self) -> impl Iterator<Item = PlannedRef<'_>> {
        (0..self.rows).map(|number| PlannedRef {
            effective_time: Timestamp(number),
            rank: number.cast_unsigned(),
            version: VersionRef {
                key: &self.key,
                version_id: "v",
                last_modified: Timestamp(number),
                is_latest: false,
                is_delete_marker: false,
                size: Some(1),
                e_tag: None,
            },
        })
    }
}

/// Bytes that writing a run takes at most beside its file, of which a growing copy may be held twice.
async fn taken_to_write(store: &World, rows: i64) -> usize {
    let versions = Versions {
        key: "k".repeat(1_000),
        rows,
    };
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let (run, _) = write(store, "run".to_owned(), versions).await.unwrap();
    let taken = ALLOCATED.peak_usage().saturating_sub(before);
    taken.saturating_sub(3 * usize::try_from(run.bytes).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_writer_of_a_run_holds_one_row_group_beside_the_file() {
    let _turn = TURN.lock();
    let store = World(Mutex::new(Counted {
        listed: Vec::new(),
        committed: 0,
        most_held: 0,
    }));
    let few = taken_to_write(&store, 4_096).await;
    let many = taken_to_write(&store, 65_536).await;
    // Their keys alone have 65 MB.
    assert!(many < few + (4 << 20), "{few} bytes, then {many}");
}
