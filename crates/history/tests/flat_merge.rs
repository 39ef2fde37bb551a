//! A merge gives the rows of any runs in order, and holds no more than it may, however many runs there are and
//! however they overlap. What is allocated is counted.

#[path = "common/folder.rs"]
mod folder;
#[path = "common/in_hand.rs"]
mod in_hand;
#[path = "common/numbered.rs"]
mod numbered;
#[path = "common/rows.rs"]
mod rows;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::depth::Width;
use bridge_history::plan::manifest::{Manifest, Run};
use bridge_history::plan::merge::Merge;
use bridge_history::plan::passes::{Passes, sent};
use bridge_history::plan::position::Position;
use bridge_history::plan::store::PlanError;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::folder::Folder;
use crate::in_hand::InHand;
use crate::numbered::{numbers, plan};
use crate::rows::row;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One test at a time: what is allocated is counted in one place.
static TURN: Mutex<()> = Mutex::new(());

fn passes(store: &Arc<Folder>, width: Width, prefix: &str) -> Passes<'static> {
    Passes {
        store: Arc::<Folder>::clone(store),
        commit: &InHand,
        of: sent,
        width,
        run_prefix: prefix.to_owned(),
        commit_every: Duration::from_secs(1),
        stop: CancellationToken::new(),
    }
}

fn on_simulated_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

const MEBIBYTE: usize = 1024 * 1024;

/// Bytes that are not counted: the manifest, tasks, a footer as the library reads it, what a row group is written by.
const UNCOUNTED: usize = 6 * MEBIBYTE;

#[test]
fn however_many_runs_there_are_a_merge_holds_what_it_may() {
    let _turn = TURN.lock();
    let width = Width {
        runs: 256,
        bytes: 8 * MEBIBYTE,
    };
    for count in [10, 400, 4_000_u64] {
        for all_overlap in [true, false] {
            let total = 100_000;
            let each = total / count;
            let of_run = move |run| -> Vec<u64> {
                if all_overlap {
                    (0..each).map(|n| n * count + run).collect()
                } else {
                    (run * each..(run + 1) * each).collect()
                }
            };
            let folder = tempfile::tempdir().unwrap();
            let store = Folder::new(&folder, Duration::from_millis(30));
            let (allocated, most_in_flight) = on_simulated_time(async {
                let mut manifest = plan(&store, (0..count).map(of_run)).await;
                let before = ALLOCATED.current_usage();
                ALLOCATED.reset_peak_usage();
                let passes = passes(&store, width, "merged");
                let mut merge = passes.open(&mut manifest, None).await.unwrap().unwrap();
                let mut rows = 0;
                while let Some(row) = merge.next().await.unwrap() {
                    assert_eq!(row.version.size, Some(rows));
                    rows += 1;
                }
                assert_eq!(rows, total);
                assert_eq!(merge.budget().held(), 0, "all is given back");
                let allocated = ALLOCATED.peak_usage().saturating_sub(before);
                (allocated, store.most_in_flight.load(Ordering::Relaxed))
            });
            println!(
                "{count} runs, overlapping: {all_overlap}: {allocated} bytes, {most_in_flight} in flight"
            );
            assert!(
                allocated < width.bytes + UNCOUNTED,
                "{count} runs, overlapping: {all_overlap}: {allocated} bytes"
            );
            assert!(most_in_flight <= 64, "{most_in_flight} in flight");
        }
    }
}

#[test]
fn a_merge_that_goes_on_has_its_first_row_within_a_second_of_a_slow_store() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::from_millis(30));
    on_simulated_time(async {
        let of_run = |run: u64| (0..20).map(|n| n * 256 + run).collect();
        let manifest = plan(&store, (0..256).map(of_run)).await;
        let after = Position::of(&row(2_000).borrowed());
        let begin = tokio::time::Instant::now();
        let budget = Budget::new(64 * MEBIBYTE);
        let mut merge = Merge::open(store.clone(), &manifest.runs, Some(&after), budget)
            .await
            .unwrap();
        assert_eq!(merge.next().await.unwrap(), Some(row(2_001)));
        // Two requests a run, 64 at the same time.
        let took = begin.elapsed();
        assert!(took <= Duration::from_millis(300), "{took:?}");
    });
}

#[test]
fn runs_one_after_another_are_opened_when_their_turn_comes_and_not_waited_for() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::from_millis(30));
    on_simulated_time(async {
        let of_run = |run: u64| (run * 1_000..(run + 1) * 1_000).collect();
        let manifest = plan(&store, (0..50).map(of_run)).await;
        let budget = Budget::new(64 * MEBIBYTE);
        let mut merge = Merge::open(store.clone(), &manifest.runs, None, budget)
            .await
            .unwrap();
        for number in 0..500 {
            assert_eq!(merge.next().await.unwrap(), Some(row(number)));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = store.asked.load(Ordering::Relaxed);
        assert!((3..=4).contains(&asked), "two runs: {asked} requests");
        let begin = tokio::time::Instant::now();
        for number in 500..1_500 {
            assert_eq!(merge.next().await.unwrap(), Some(row(number)));
        }
        assert_eq!(begin.elapsed(), Duration::ZERO, "it was there");
    });
}

#[test]
fn a_row_group_that_does_not_fit_is_refused_before_it_is_read() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::ZERO);
    on_simulated_time(async {
        let manifest = plan(&store, std::iter::once((0..2_000).collect())).await;
        let open = |bytes| {
            let budget = Budget::new(bytes);
            Merge::open(store.clone(), &manifest.runs, None, budget)
        };
        let asked = store.asked.load(Ordering::Relaxed);
        let refused = open(50_000).await.err().unwrap();
        assert!(matches!(refused, PlanError::Memory { .. }), "{refused}");
        assert!(
            refused.to_string().contains("smaller row groups"),
            "{refused}"
        );
        assert_eq!(store.asked.load(Ordering::Relaxed), asked + 1, "its footer");
        let mut merge = open(2 * MEBIBYTE).await.unwrap();
        assert_eq!(numbers(&mut merge).await.unwrap().len(), 2_000);
    });
}

#[test]
fn a_run_that_is_not_where_the_manifest_says_is_damaged() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::ZERO);
    on_simulated_time(async {
        let evens = (0..500).map(|n| n * 2).collect();
        let manifest = plan(
            &store,
            [evens, (0..50).map(|n| n * 20 + 1).collect()].into_iter(),
        )
        .await;
        let place = |number| Position::of(&row(number).borrowed());
        let mut read = Vec::new();
        for (first, last) in [(0, 998), (2, 998), (0, 996), (0, 0)] {
            let mut runs = manifest.runs.clone();
            (runs[0].first, runs[0].last) = (place(first), place(last));
            let mut result = Ok(Vec::new());
            match Merge::open(store.clone(), &runs, None, Budget::alone()).await {
                Ok(mut merge) => result = numbers(&mut merge).await,
                Err(error) => result = result.and(Err(error)),
            }
            read.push(
                result
                    .map(|rows| rows.len())
                    .map_err(|error| error.to_string()),
            );
        }
        assert_eq!(read[0], Ok(550));
        for result in &read[1..] {
            let error = result.as_ref().unwrap_err();
            assert!(error.contains("plan object 0 is damaged"), "{error}");
            assert!(
                error.contains("outside of what the manifest says"),
                "{error}"
            );
        }
        let twice = [manifest.runs.clone(), manifest.runs[1..].to_vec()].concat();
        let mut merge = Merge::open(store.clone(), &twice, None, Budget::alone())
            .await
            .unwrap();
        let error = numbers(&mut merge).await.unwrap_err().to_string();
        assert!(error.contains("it repeats a row"), "{error}");
    });
}

/// Ends whoever commits.
struct Stopping(CancellationToken);

#[async_trait]
impl Commit for Stopping {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        self.0.cancel();
        InHand.commit(manifest).await
    }
}

#[test]
fn rows_that_a_stopped_pass_has_merged_are_not_read_of_their_old_runs_again() {
    let _turn = TURN.lock();
    let width = Width {
        runs: 2,
        bytes: 2 * MEBIBYTE,
    };
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::ZERO);
    on_simulated_time(async {
        let of_run = |run: u64| (0..12_000).map(|n| n * 3 + run).collect();
        let mut manifest = plan(&store, (0..3).map(of_run)).await;
        let mut first = passes(&store, width, "first");
        first.commit_every = Duration::ZERO;
        let stopping = Stopping(first.stop.clone());
        let first = Passes {
            commit: &stopping,
            ..first
        };
        assert!(first.open(&mut manifest, None).await.unwrap().is_none());
        let is_partly_merged = |run: &Run| run.after.is_some();
        assert!(manifest.runs.iter().any(is_partly_merged));
        let last = passes(&store, width, "last");
        let merge = last.open(&mut manifest, None).await.unwrap();
        let found = numbers(&mut merge.unwrap()).await;
        assert_eq!(found, Ok((0..36_000).collect()));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Each row is in some run; where it is comes from the seed, in stretches of any length.
    #[test]
    fn any_runs_merged_anyhow_from_anywhere_give_the_rows_in_order(
        seed: u64,
        total in 1u64..9_000,
        count in 1usize..40,
        stretch in prop::sample::select(vec![1u64, 10, 500, 5_000]),
        runs_at_once in 2usize..12,
        kibibytes in prop::sample::select(vec![2_000usize, 4_000, 16_000]),
        after in prop::option::of(0u64..9_000),
        stopped in prop::collection::vec(1u64..400, 0..4),
    ) {
        let _turn = TURN.lock();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut runs = vec![Vec::new(); count];
        let mut number = 0;
        while number < total {
            let run = random.usize(0..count);
            for _ in 0..random.u64(1..=stretch).min(total - number) {
                runs[run].push(number);
                number += 1;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::new(&folder, Duration::from_millis(30));
        let width = Width { runs: runs_at_once, bytes: kibibytes * 1024 };
        let found = on_simulated_time(async {
            let mut manifest = plan(&store, runs.into_iter()).await;
            // Segments that end amid a pass, or are killed in it: then their last commit counts.
            for (segment, millis) in stopped.iter().enumerate() {
                let mut passes = passes(&store, width, &format!("segment-{segment}"));
                passes.commit_every = Duration::ZERO;
                let stop = passes.stop.clone();
                let mut changed = manifest.clone();
                tokio::select! {
                    opened = passes.open(&mut changed, None) => drop(opened?),
                    () = async {
                        tokio::time::sleep(Duration::from_millis(*millis)).await;
                        stop.cancel();
                        tokio::time::sleep(Duration::from_millis(*millis % 40)).await;
                    } => {}
                }
                manifest = changed;
            }
            let after = after.map(|number| Position::of(&row(number).borrowed()));
            let passes = passes(&store, width, "last");
            let merge = passes.open(&mut manifest, after.as_ref()).await?;
            numbers(&mut merge.unwrap()).await
        });
        let expected: Vec<_> = (after.map_or(0, |after| after + 1)..total).collect();
        prop_assert_eq!(found, Ok(expected));
        prop_assert!(store.most_in_flight.load(Ordering::Relaxed) <= 64);
    }
}
