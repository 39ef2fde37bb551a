//! The simulation itself is tested: each mistake of the list, planted, must be caught.

use bridge_core::mistake::{Mistake, plant};
use bridge_sim::scenario::Scenario;

/// Scenarios that may pass before one catches the mistake.
const SEEDS: u64 = 2_000;

#[test]
fn every_planted_mistake_is_caught() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let missed: Vec<Mistake> = std::thread::scope(|scope| {
        let searches: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mine = Mistake::ALL.iter().skip(first).step_by(threads);
                    mine.copied()
                        .filter(|mistake| !is_caught(*mistake))
                        .collect()
                })
            })
            .collect();
        let missed = searches.into_iter().map(|search| search.join().unwrap());
        missed.flat_map(|missed: Vec<Mistake>| missed).collect()
    });
    assert_eq!(missed, [], "not caught within {SEEDS} seeds");
}

/// Whether a scenario in which the mistake is made ends badly, and the same one without it well.
fn is_caught(mistake: Mistake) -> bool {
    plant(Some(mistake));
    let caught = (0..SEEDS).find_map(|seed| Some((seed, Scenario::of_seed(seed).run().err()?)));
    plant(None);
    let Some((seed, broken)) = caught else {
        return false;
    };
    let broken = broken.lines().next().unwrap_or_default();
    println!("{mistake:?}: caught by seed {seed}: {broken}");
    Scenario::of_seed(seed).run().is_ok()
}
