//! Many crafted runs at the same time.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::event::digest_of_bytes;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::depth::Width;
use bridge_history::plan::elsewhere::footers::inspect_all;
use bridge_history::plan::elsewhere::place::PlanSource;
use bridge_history::plan::manifest::{Manifest, Run};
use bridge_history::plan::merge::Merge;
use bridge_history::plan::store::{PlanError, PlanStore};
use bridge_history::scan::adopt::Adoption;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::scanner::ScanSettings;
use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::file::{COLUMNS, Sparse, place, run};
use crate::filler::{ALL, column, filled, key, mixed};
use crate::in_hand::InHand;
use crate::page::{Coding, Kind, PLAIN, Values};
use crate::reading::{MEBIBYTE, counted, turn};

const RUNS: usize = 24;

/// Merges the run, time and again, as if there were many that begin at the same place: how many bytes that takes at
/// most, and what comes of it.
fn merged(file: &Arc<Sparse>, run: &Run, budget: usize) -> (Result<(), PlanError>, usize) {
    let runs = vec![run.clone(); RUNS];
    let store: Arc<dyn PlanStore> = Arc::<Sparse>::clone(file) as _;
    counted(async {
        let mut merge = Merge::open(store, &runs, None, Budget::new(budget)).await?;
        while merge.next().await?.is_some() {}
        Ok(())
    })
}

#[test]
fn runs_with_much_behind_their_values_do_not_take_more_than_a_merge_has() {
    let _turn = turn();
    for is_packed in [false, true] {
        let (file, run) = filled(&[1], 4, is_packed);
        let (came_to, allocated) = merged(&file, &run, 64 * MEBIBYTE);
        println!("packed: {is_packed}: {allocated} bytes");
        let error = came_to.unwrap_err();
        assert!(matches!(error, PlanError::Memory { .. }), "{error}");
        assert!(
            allocated < 80 * MEBIBYTE,
            "{allocated} bytes, packed: {is_packed}"
        );
    }
}

#[test]
fn texts_that_a_dictionary_repeats_are_counted_when_they_have_been_repeated() {
    let _turn = turn();
    let (rows, long) = (256, "t".repeat(8_000));
    let columns = (0..COLUMNS.len()).map(|index| {
        if COLUMNS[index].0 != "binary" {
            let mut column = column(index, rows, true);
            column.page(0..rows, PLAIN);
            return column;
        }
        let mut column = column(index, rows, true);
        column.values = Values::Texts(vec![Some(long.clone())]);
        column.dictionary(0);
        column.values = Values::Texts(vec![Some(long.clone()); rows]);
        let coding = Coding::First;
        column.page(0..rows, Kind { coding, ..PLAIN });
        column
    });
    let ends = [0, rows - 1].map(|row| place(row, &long));
    let (file, run) = run(columns.collect(), ends, String::new());
    let (came_to, allocated) = merged(&file, &run, 16 * MEBIBYTE);
    println!("{allocated} bytes");
    let error = came_to.unwrap_err();
    assert!(matches!(error, PlanError::Memory { .. }), "{error}");
    assert!(allocated < 24 * MEBIBYTE, "{allocated} bytes: {error}");
}

#[test]
fn long_footers_are_held_one_at_a_time() {
    let _turn = turn();
    let columns = (0..COLUMNS.len()).map(|index| {
        let mut column = column(index, 1, true);
        column.page(0..1, PLAIN);
        column
    });
    let ends = [0, 0].map(|row| place(row, &key(row)));
    let (file, run) = run(columns.collect(), ends, "x".repeat(4 * MEBIBYTE));
    let store: Arc<dyn PlanStore> = file as _;
    let runs = vec![&run; RUNS];
    let (inspected, allocated) = counted(inspect_all(&store, &runs));
    println!("{allocated} bytes");
    assert_eq!(inspected, Ok(()));
    // As it is read and as it is parsed; of each of the others the end.
    let ends = RUNS * 16 * 1024;
    assert!(allocated < 3 * 4 * MEBIBYTE + ends, "{allocated} bytes");
}

/// Somebody else's plan of one run, listed time and again under other names.
struct Folder {
    manifest: Bytes,
    run: Arc<Sparse>,
}

impl Folder {
    fn new(file: Arc<Sparse>, run: &Run, times: usize) -> Self {
        let runs = (0..times).map(|number| {
            let mut run = run.clone();
            run.name = format!("{number}.parquet");
            run
        });
        let runs: Vec<_> = runs.collect();
        let rows = run.rows * u64::try_from(times).unwrap();
        let manifest = json!({
            "version": 1, "bucket": "ledger", "runs": runs,
            "summary": { "events": rows, "created": rows, "removed": 0, "bytes": 0, "byMonth": {} },
        });
        Self {
            manifest: manifest.to_string().into(),
            run: file,
        }
    }

    /// Reads it as a job does that sends nothing of it: what comes of it, and the bytes that were allocated at most.
    fn adopt(self) -> (Result<(), PlanError>, usize) {
        let source = PlanSource {
            uri: "s3://plans/p/m.json".to_owned(),
            digest: digest_of_bytes(&self.manifest),
        };
        let folder = Arc::new(self);
        let filter = Filter {
            prefix: "others".to_owned(),
            ..Filter::default()
        };
        let adoption = Adoption {
            source: &source,
            elsewhere: Arc::<Self>::clone(&folder) as _,
            store: folder,
            commit: &InHand,
            filter: &filter,
            settings: &ScanSettings::default(),
            width: Width {
                runs: 256,
                bytes: 64 * MEBIBYTE,
            },
            run_prefix: "runs/1".to_owned(),
            stop: CancellationToken::new(),
        };
        let mut manifest = Manifest::adopting("j-1".parse().unwrap(), "ledger");
        counted(adoption.run(&mut manifest))
    }
}

#[async_trait]
impl PlanStore for Folder {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        unreachable!("nothing is chosen")
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        match name {
            "m.json" => Ok(self.manifest.clone()),
            _ => self.run.get(name, range).await,
        }
    }
}

#[test]
fn of_a_plan_from_elsewhere_one_run_is_held_at_a_time() {
    let _turn = turn();
    let (file, run) = filled(&ALL, 3, true);
    let (adopted, allocated) = Folder::new(file, &run, 4).adopt();
    println!("{allocated} bytes");
    assert_eq!(adopted, Ok(()));
    assert!(allocated < 96 * MEBIBYTE, "{allocated} bytes");
}

#[test]
fn a_run_of_a_plan_from_elsewhere_that_takes_too_much_is_refused_with_what_to_do() {
    let _turn = turn();
    let (file, run) = mixed();
    let (adopted, allocated) = Folder::new(file, &run, 2).adopt();
    let error = adopted.unwrap_err().to_string();
    let told = "s3://plans/p/0.parquet: reading it takes more than the 262144 KiB that a run may take: write it with \
                smaller row groups";
    assert!(error.contains(told), "{error}");
    assert!(allocated < 64 * MEBIBYTE, "{allocated} bytes");
}
