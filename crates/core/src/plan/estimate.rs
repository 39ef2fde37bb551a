//! What a planned reseed will cost and how long it will take. No I/O.

use std::time::Duration;

use crate::delivery::{MAX_ENTRIES, Order};

/// US dollars for 1,000 list or write requests, us-east-1. As Amazon S3's price list had it when
/// this was written from memory: not checked against the page, and other regions differ.
const S3_THOUSAND_REQUESTS: f64 = 0.005;

/// US dollars for a million requests of 64 KiB to a FIFO queue, us-east-1, without the free tier.
/// Not checked against Amazon SQS's price list either.
const FIFO_MILLION_REQUESTS: f64 = 0.50;

/// The same for a standard queue.
const STANDARD_MILLION_REQUESTS: f64 = 0.40;

/// Events a second when nothing else limits: somewhat below the 29 thousand that 64 lanes reached
/// at 8 ms a request (docs/BENCHMARKS.md).
const EVENTS_A_SECOND: u64 = 25_000;

/// With one message group only one message is on its way at a time: 8 ms each, reckoned
/// and not measured.
const EVENTS_A_SECOND_IN_ONE_GROUP: u64 = 120;

/// What a reseed will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// US dollars for listing and for the plan's objects.
    pub s3_dollars: f64,
    /// US dollars for sending; receiving costs the consumer about as much again.
    pub sqs_dollars: f64,
    /// How long sending takes.
    pub sending: Duration,
}

/// An estimate for `events` in `runs` runs that were listed in `pages` pages. `order` is `None`
/// when events go to a file.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn estimate(
    events: u64,
    pages: u64,
    runs: u64,
    order: Option<Order>,
    max_rate: Option<u64>,
) -> Estimate {
    let (entries, million, rate) = match order {
        None => (1, 0.0, EVENTS_A_SECOND),
        Some(Order::Bucket) => (1, FIFO_MILLION_REQUESTS, EVENTS_A_SECOND_IN_ONE_GROUP),
        Some(Order::Key) => (MAX_ENTRIES as u64, FIFO_MILLION_REQUESTS, EVENTS_A_SECOND),
        Some(Order::None) => (
            MAX_ENTRIES as u64,
            STANDARD_MILLION_REQUESTS,
            EVENTS_A_SECOND,
        ),
    };
    let rate = max_rate.map_or(rate, |max| max.min(rate));
    Estimate {
        s3_dollars: (pages + runs) as f64 / 1000.0 * S3_THOUSAND_REQUESTS,
        sqs_dollars: events.div_ceil(entries) as f64 / 1e6 * million,
        sending: Duration::from_secs(events.div_ceil(rate.max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_follows_pages_requests_and_rate() {
        let all = estimate(10_000_000, 10_000, 20, Some(Order::Key), None);
        assert!((all.s3_dollars - 0.0501).abs() < 1e-9);
        assert!((all.sqs_dollars - 0.5).abs() < 1e-9);
        assert_eq!(all.sending, Duration::from_secs(400));
        let slow = estimate(10_000_000, 10_000, 20, Some(Order::Key), Some(1000));
        assert_eq!(slow.sending, Duration::from_secs(10_000));
        assert!(estimate(5, 1, 1, None, None).sqs_dollars < f64::EPSILON);
    }
}
