//! What docs/EVENTS.md promises, under faults: every planned event arrives, in order, once, whatever fails.

use bridge_sim::scenario::Scenario;
use bridge_sim::seeds;

/// Seeds of the test command ([`seeds::run`] says how to run others).
const SEEDS: u64 = 2_400;

/// Seeds that are run twice.
const TWICE: u64 = 40;

#[test]
fn whatever_fails_every_event_arrives_in_order() {
    seeds::run(SEEDS, |seed| Scenario::of_seed(seed).run());
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in 0..TWICE {
        let trace = Scenario::of_seed(seed).run();
        assert_eq!(trace, Scenario::of_seed(seed).run(), "BRIDGE_SEED={seed}");
    }
}
