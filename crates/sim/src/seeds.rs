//! Many seeds, on all processors, up to the first that breaks something.

use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the seeds below `seeds`; `BRIDGE_SEEDS=100000` runs more, `BRIDGE_SEED=42` one, and shows what
/// came of it.
///
/// # Panics
/// With the first violation: mutants (`cargo xtask mutants`) meet one early.
pub fn run<T: std::fmt::Debug>(seeds: u64, run: impl Fn(u64) -> Result<T, String> + Sync) {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse().expect(name));
    if let Some(seed) = number("BRIDGE_SEED") {
        match run(seed) {
            Ok(trace) => println!("{trace:#?}"),
            Err(broken) => panic!("{broken}"),
        }
        return;
    }
    let seeds = number("BRIDGE_SEEDS").unwrap_or(seeds);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let broken_elsewhere = &AtomicBool::new(false);
    let run = &run;
    std::thread::scope(|scope| {
        for first in (0..seeds).take(threads) {
            scope.spawn(move || {
                for seed in (first..seeds).step_by(threads) {
                    if broken_elsewhere.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Err(broken) = run(seed) {
                        broken_elsewhere.store(true, Ordering::Relaxed);
                        panic!("{broken}");
                    }
                }
            });
        }
    });
}
