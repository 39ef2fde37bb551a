//! What docs/EVENTS.md promises of live order, under faults.

use std::sync::atomic::{AtomicBool, Ordering};

use bridge_sim::live::LiveScenario;

/// Seeds of the test command; `BRIDGE_SEEDS=100000` runs more, `BRIDGE_SEED=42` one.
const SEEDS: u64 = 4_000;

#[test]
fn with_newest_no_key_goes_back_and_each_ends_with_its_last_change() {
    if let Ok(seed) = std::env::var("BRIDGE_SEED") {
        let streams = LiveScenario::of_seed(seed.parse().unwrap()).run();
        println!("{:#?}", streams.unwrap());
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
                    if let Err(broken) = LiveScenario::of_seed(seed).run() {
                        broken_elsewhere.store(true, Ordering::Relaxed);
                        panic!("{broken}");
                    }
                }
            });
        }
    });
}
