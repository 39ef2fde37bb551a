//! What docs/EVENTS.md promises, under faults: every planned event arrives, in order, once, whatever fails.

use std::sync::atomic::{AtomicBool, Ordering};

use bridge_sim::scenario::Scenario;

/// Seeds of the test command; `BRIDGE_SEEDS=100000` runs more, `BRIDGE_SEED=42` one.
const SEEDS: u64 = 2_400;

/// Seeds that are run twice.
const TWICE: u64 = 40;

#[test]
fn whatever_fails_every_event_arrives_in_order() {
    if let Ok(seed) = std::env::var("BRIDGE_SEED") {
        let seed = seed.parse().unwrap();
        println!("{:#?}", Scenario::of_seed(seed).run().unwrap());
        return;
    }
    let seeds = std::env::var("BRIDGE_SEEDS").map_or(SEEDS, |n| n.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    // The first violation is enough: mutants (`cargo xtask mutants`) meet one early.
    let broken_elsewhere = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                for seed in (first..seeds).step_by(usize::try_from(threads).unwrap()) {
                    if broken_elsewhere.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Err(broken) = Scenario::of_seed(seed).run() {
                        broken_elsewhere.store(true, Ordering::Relaxed);
                        panic!("{broken}");
                    }
                }
            });
        }
    });
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in 0..TWICE {
        let trace = Scenario::of_seed(seed).run();
        assert_eq!(trace, Scenario::of_seed(seed).run(), "BRIDGE_SEED={seed}");
    }
}
