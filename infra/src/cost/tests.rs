//! What the model says.

use super::table::sum;
use super::*;
use crate::prices::PRICES;

fn sums(usage: &Usage) -> (f64, f64, f64) {
    let all = sum("all", &Prices::read(PRICES).unwrap().lines(usage));
    (all.idle, all.reseed, all.live)
}

#[test]
fn nothing_costs_next_to_nothing_and_work_costs_what_it_takes() {
    let (idle, reseed, live) = sums(&Usage::default());
    assert!((0.01..0.15).contains(&idle), "{idle}");
    // A million batches at half a dollar, 55,000 list requests at five dollars a million.
    assert!((0.75..1.25).contains(&reseed), "{reseed}");
    assert!((0.5..1.5).contains(&live), "{live}");
}

#[test]
fn packing_and_arm_are_cheaper_and_a_standard_queue_too() {
    let (_, unpacked, live) = sums(&Usage::default());
    let packed = Usage {
        records_per_message: 80.0,
        ..Usage::default()
    };
    assert!(sums(&packed).1 < unpacked);
    let arm = Usage {
        arm64: true,
        ..Usage::default()
    };
    assert!(sums(&arm).1 < unpacked);
    let standard = Usage {
        fifo: false,
        ..Usage::default()
    };
    assert!(sums(&standard).2 < live);
}

#[test]
fn a_buffer_costs_when_idle_and_saves_when_busy_and_a_bus_costs_by_the_event() {
    let (idle, _, live) = sums(&Usage::default());
    let buffered = Usage {
        batch: 100.0,
        ..Usage::default()
    };
    let (polled, _, shared) = sums(&buffered);
    assert!((0.2..0.3).contains(&(polled - idle)), "{polled}");
    assert!(shared < live, "{shared} and {live}");
    let bus = Usage {
        existing_bucket: true,
        ..Usage::default()
    };
    assert!((sums(&bus).2 - live - 1.0).abs() < 1e-9);
}

#[test]
fn newest_costs_two_writes_and_a_read_a_change_and_a_read_a_sweep() {
    let notified = sums(&Usage::default());
    let usage = Usage {
        live_order: LiveOrder::Newest,
        ..Usage::default()
    };
    let newest = sums(&usage);
    let idle = newest.0 - notified.0;
    assert!((0.001..0.01).contains(&idle), "{idle}");
    let prices = Prices::read(PRICES).unwrap();
    let calls = 2.0 * prices.dynamodb.million_writes + prices.dynamodb.million_reads;
    // And some time of the function.
    let added = newest.2 - notified.2;
    assert!((calls..calls + 0.2).contains(&added), "{added}");
    let told = format!("| {added:.2} |\n");
    assert!(table(&prices, &Usage::default()).contains(&told));
    assert!(!table(&prices, &usage).contains("LiveOrder"));
}

#[test]
fn exact_costs_a_listing_a_change_more() {
    let of = |live_order| {
        sums(&Usage {
            live_order,
            ..Usage::default()
        })
    };
    let (newest, exact) = (of(LiveOrder::Newest), of(LiveOrder::Exact));
    let prices = Prices::read(PRICES).unwrap();
    let listings = 1000.0 * prices.s3.thousand_list_and_put;
    let added = exact.2 - newest.2;
    assert!((listings..listings + 0.5).contains(&added), "{added}");
    assert!((exact.0 - newest.0).abs() < f64::EPSILON);
}

#[test]
fn a_megabyte_is_sixteen_requests() {
    let packed = Usage {
        events: 1_398.0,
        records_per_message: 1_398.0,
        ..Usage::default()
    };
    assert!((requests(&packed) - 16.0).abs() < f64::EPSILON);
}

#[test]
fn a_key_and_alarms_cost_by_the_month() {
    let prices = Prices::read(PRICES).unwrap();
    let table = table(&prices, &Usage::default());
    assert!((1.0..1.1).contains(&prices.key()), "{}", prices.key());
    for part in ["every five minutes) | 1.03 |", "fourteen alarms | 1.40 |"] {
        assert!(table.contains(part), "{part:?} is not in: {table}");
    }
}
