//! The order that docs/EVENTS.md promises: any history, cut into pages anywhere, read by any number of listers into runs of
//! any size, interrupted anywhere, gives the one expected sequence.

#[path = "../../history/tests/common/in_hand.rs"]
mod in_hand;

use std::sync::Arc;
use std::time::Duration;

use bridge_core::listing::version::ObjectVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::position::Position;
use bridge_history::plan::store::PlanStore;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::scanner::{Scan, ScanSettings};
use bridge_sim::bucket::{Bucket, Markers, STYLE, SimLister, Style};
use bridge_sim::faults::Faults;
use bridge_sim::store::SimPlans;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::in_hand::InHand;

/// One step of a history: which key, whether it is deleted, and how much later (in steps of 250 ms).
type Step = (usize, bool, i64);

const KEYS: [&str; 14] = [
    "a",
    "a/",
    "a/1",
    "a/10",
    "a/2",
    "accounts/1.json",
    "logs/2024/05/01/app.log",
    "red flower+50%.jpg",
    "ünï/日本 & <tag>.txt",
    "z~",
    "\u{7f}",
    "\u{10ffff}",
    "\"quoted\"",
    " leading and  double ",
];

fn history(steps: &[Step], whole_seconds: bool) -> Bucket {
    let mut bucket = Bucket::default();
    let mut millis = 1_714_564_800_000;
    for (key, deleted, later) in steps {
        millis += later * 250;
        let time = if whole_seconds {
            Timestamp(millis - millis % 1000)
        } else {
            Timestamp(millis)
        };
        if *deleted {
            bucket.delete(KEYS[*key], time);
        } else {
            bucket.put(KEYS[*key], time);
        }
    }
    bucket
}

struct How {
    style: Style,
    listers: usize,
    memory_budget: usize,
    /// The scan is stopped and begun again after so many milliseconds, again and again.
    interrupted_after: Option<u64>,
    faults_per_mille: u32,
}

/// The sequence a reseed would send, read through pages, runs and merge.
async fn sequence(bucket: &Arc<Bucket>, how: &How) -> (Vec<(Position, ObjectVersion)>, Manifest) {
    let faults = Arc::new(Faults::new(7, how.faults_per_mille));
    let store: Arc<dyn PlanStore> = Arc::new(SimPlans::new(Arc::new(Faults::new(7, 0))));
    let settings = ScanSettings {
        listers: how.listers,
        memory_budget: how.memory_budget,
        ..ScanSettings::default()
    };
    let mut manifest = Manifest::new("job".parse().unwrap(), "ledger");
    let mut segment = 0;
    while !manifest.is_complete() {
        segment += 1;
        let stop = CancellationToken::new();
        let lister = Arc::new(SimLister::new(
            Arc::clone(bucket),
            how.style,
            Arc::clone(&faults),
        ));
        let scan = Scan {
            lister: lister.clone(),
            store: &*store,
            commit: &InHand,
            filter: &Filter::default(),
            refuse_ambiguous: false,
            settings: &settings,
            run_prefix: format!("runs/{segment}"),
            stop: stop.clone(),
            random: fastrand::Rng::with_seed(segment),
        };
        let alarm = async {
            if let Some(millis) = how.interrupted_after {
                // Longer each time, so that a long chain of versions comes through at last.
                tokio::time::sleep(Duration::from_millis(millis * segment)).await;
                stop.cancel();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = scan.run(&mut manifest) => result.unwrap(),
            () = alarm => {}
        }
        assert!(lister.most_at_once() <= how.listers);
    }
    (merged(&store, &manifest, None).await, manifest)
}

async fn merged(
    store: &Arc<dyn PlanStore>,
    manifest: &Manifest,
    after: Option<&Position>,
) -> Vec<(Position, ObjectVersion)> {
    let mut merge = Merge::open(Arc::clone(store), &manifest.runs, after, Budget::alone())
        .await
        .unwrap();
    let mut rows = Vec::new();
    while let Some(row) = merge.next().await.unwrap() {
        rows.push((Position::of(&row.borrowed()), row.version));
    }
    rows
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_history_read_in_any_way_gives_the_one_sequence(
        steps in prop::collection::vec((0..KEYS.len(), any::<bool>(), 0i64..6), 1..150),
        page_size in 1usize..40,
        url_encoded: bool,
        listers in prop::sample::select(vec![1usize, 2, 7, 64]),
        memory_budget in prop::sample::select(vec![1usize, 2_000, 1 << 20]),
        interrupted_after in prop::option::of(5u64..60),
        faults_per_mille in prop::sample::select(vec![0u32, 100]),
    ) {
        let bucket = Arc::new(history(&steps, true));
        let how = How {
            style: Style { page_size, url_encoded, ..STYLE },
            listers,
            memory_budget,
            interrupted_after,
            faults_per_mille,
        };
        let (found, manifest) = block_on(sequence(&bucket, &how));
        prop_assert_eq!(manifest.summary.events, bucket.len() as u64);
        prop_assert_eq!(found, bucket.history());
    }

    /// Flags and markers as other servers write them change nothing.
    #[test]
    fn odd_flags_and_markers_give_the_one_sequence(
        steps in prop::collection::vec((0..KEYS.len(), any::<bool>(), 0i64..6), 1..150),
        page_size in 1usize..40,
        url_encoded: bool,
        says_latest: bool,
        two_latest: bool,
        truncated in prop::sample::select(vec!["true", "True", "1", "yes", ""]),
        markers in prop::sample::select(vec![Markers::Raw, Markers::KeyAgain, Markers::Missing]),
        listers in prop::sample::select(vec![1usize, 2, 7, 64]),
        interrupted_after in prop::option::of(5u64..60),
    ) {
        let bucket = Arc::new(history(&steps, true));
        let style = Style { page_size, url_encoded, says_latest, two_latest, truncated, markers, ..STYLE };
        let how = How { style, listers, memory_budget: 2_000, interrupted_after, faults_per_mille: 0 };
        let (found, _) = block_on(sequence(&bucket, &how));
        let expected = bucket.history();
        prop_assert_eq!(found, expected);
    }

    /// A server that lists otherwise, in pages of any size, with times that tell versions from markers
    /// or do not: what is not counted as a guess is right.
    #[test]
    fn other_orders_give_the_same_sequence_or_are_counted(
        steps in prop::collection::vec((0..KEYS.len(), any::<bool>(), 0i64..6), 1..60),
        whole_seconds: bool,
        page_size in 2usize..80,
        markers_apart: bool,
        oldest_first: bool,
        listers in prop::sample::select(vec![1usize, 7, 64]),
        interrupted_after in prop::option::of(5u64..60),
    ) {
        let bucket = Arc::new(history(&steps, whole_seconds));
        let style = Style { page_size, markers_apart, oldest_first, ..STYLE };
        let how = How { style, listers, memory_budget: 2_000, interrupted_after, faults_per_mille: 0 };
        let (found, manifest) = block_on(sequence(&bucket, &how));
        let names = |rows: &[(Position, ObjectVersion)]| {
            let mut names: Vec<_> = rows.iter().map(|(_, v)| v.version_id.clone()).collect();
            names.sort();
            names
        };
        let expected = bucket.history();
        prop_assert_eq!(names(&found), names(&expected), "each version once");
        if manifest.summary.ambiguous.is_none() {
            prop_assert_eq!(found, expected);
        }
        let is_plain = !markers_apart && manifest.dialect.markers_apart.proven.is_some();
        prop_assert!(!is_plain || manifest.summary.ambiguous.is_none(), "no false alarm");
    }

    /// What a listing does not tell is told in one and the same order, wherever pages and ranges are cut,
    /// as long as a page holds a key. Few keys in few moments, so that most pages prove nothing.
    #[test]
    fn a_guess_does_not_depend_on_where_pages_are_cut(
        steps in prop::collection::vec((0usize..4, prop::bool::weighted(0.2), 0i64..2), 1..24),
        page_sizes in (1usize..30, 1usize..30),
        listers in prop::sample::select(vec![1usize, 7]),
    ) {
        let bucket = Arc::new(history(&steps, true));
        let longest = (0..KEYS.len())
            .map(|key| steps.iter().filter(|step| step.0 == key).count())
            .max()
            .unwrap_or_default();
        let read = |page_size: usize, listers| {
            let style = Style { page_size: page_size.max(longest), markers_apart: true, ..STYLE };
            let how = How { style, listers, memory_budget: 2_000, interrupted_after: None, faults_per_mille: 0 };
            block_on(sequence(&bucket, &how)).0
        };
        prop_assert_eq!(read(page_sizes.0, 1), read(page_sizes.1, listers));
    }
}

#[test]
fn a_resume_begins_right_behind_its_position_in_every_run() {
    let steps: Vec<Step> = (0..60_000)
        .map(|i| (i % KEYS.len(), i % 5 == 0, 1))
        .collect();
    let bucket = Arc::new(history(&steps, true));
    block_on(async {
        let store: Arc<dyn PlanStore> = Arc::new(SimPlans::new(Arc::new(Faults::new(7, 0))));
        let mut manifest = Manifest::new("job".parse().unwrap(), "ledger");
        let history = bucket.history();
        for (number, part) in history.chunks(25_000).enumerate() {
            let rows: Vec<_> = part.iter().map(planned).collect();
            let run = bridge_history::plan::run::write(&*store, format!("runs/{number}"), rows);
            manifest.runs.push(run.await.unwrap().0);
        }
        for at in [0, 1, 8_191, 8_192, 24_999, 25_000, 41_234, 59_999] {
            let rest = merged(&store, &manifest, Some(&history[at].0)).await;
            assert!(rest == history[at + 1..], "after row {at}");
        }
    });
}

fn planned(
    (position, version): &(Position, ObjectVersion),
) -> bridge_core::listing::version::PlannedVersion {
    bridge_core::listing::version::PlannedVersion {
        effective_time: position.effective_time,
        rank: position.rank,
        version: version.clone(),
    }
}
