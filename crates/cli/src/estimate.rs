//! What a planned reseed will cost and how long it will take. No I/O.

use std::time::Duration;

use bridge_core::queue::ordering::Order;
use bridge_core::queue::port::MAX_ENTRIES;
use bridge_history::job::state::Job;
use bridge_history::send::target::Target;

/// US dollars for 1,000 list or write requests, us-east-1: infra/prices.yaml, which a test compares.
/// Other regions differ.
const S3_THOUSAND_REQUESTS: f64 = 0.005;

/// US dollars for a million requests of 64 KiB to a FIFO queue, us-east-1, without the free tier.
const FIFO_MILLION_REQUESTS: f64 = 0.50;

/// The same for a standard queue.
const STANDARD_MILLION_REQUESTS: f64 = 0.40;

/// Bytes of a record in a packed message, about.
const RECORD_BYTES: u64 = 750;

/// Bytes that SQS bills as one request.
/// Source: Amazon SQS pricing.
const BILLED_BYTES: u64 = 64 * 1024;

/// Events a second when nothing else limits, with 64 lanes at 8 ms a request, or in one group in
/// messages of 1 MiB (docs/BENCHMARKS.md), rounded down.
const EVENTS_A_SECOND: u64 = 40_000;

/// Messages a second in one group, one at a time: 8 ms each.
const MESSAGES_A_SECOND_IN_ONE_GROUP: u64 = 120;

/// What a reseed will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// US dollars for listing and for the plan's objects.
    pub s3_dollars: f64,
    /// US dollars for sending; receiving costs the consumer about as much again.
    pub sqs_dollars: f64,
    /// How long sending takes.
    pub sending: Duration,
}

/// How a plan is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// `None` when events go to a file.
    pub order: Option<Order>,
    /// Records a message holds at most. By key, fewer meet in practice.
    pub records_per_message: u64,
    /// Events a second, at most.
    pub max_rate: Option<u64>,
}

impl Way {
    /// As the job was asked to.
    #[must_use]
    pub(crate) fn of(job: &Job) -> Self {
        let options = &job.options;
        Self {
            order: match options.target {
                Target::Queue(_) | Target::Nowhere => Some(options.order),
                Target::File(_) | Target::Stdout => None,
            },
            records_per_message: options.records_per_message as u64,
            max_rate: options.max_rate,
        }
    }
}

/// An estimate for `events` in `runs` runs that were listed in `pages` pages.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn estimate(events: u64, pages: u64, runs: u64, way: Way) -> Estimate {
    let records = way.records_per_message.max(1);
    let (entries, million) = match way.order {
        None => (1, 0.0),
        Some(Order::Bucket) => (1, FIFO_MILLION_REQUESTS),
        Some(Order::Key) => (MAX_ENTRIES as u64, FIFO_MILLION_REQUESTS),
        Some(Order::None) => (MAX_ENTRIES as u64, STANDARD_MILLION_REQUESTS),
    };
    let rate = match way.order {
        Some(Order::Bucket) => (MESSAGES_A_SECOND_IN_ONE_GROUP * records).min(EVENTS_A_SECOND),
        _ => EVENTS_A_SECOND,
    };
    let rate = way.max_rate.map_or(rate, |max| max.min(rate));
    let requests = if records == 1 {
        events.div_ceil(entries)
    } else {
        events.div_ceil(records * entries)
            * (records * entries * RECORD_BYTES).div_ceil(BILLED_BYTES)
    };
    Estimate {
        s3_dollars: (pages + runs) as f64 / 1000.0 * S3_THOUSAND_REQUESTS,
        sqs_dollars: requests as f64 / 1e6 * million,
        sending: Duration::from_secs(events.div_ceil(rate.max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_KEY: Way = Way {
        order: Some(Order::Key),
        records_per_message: 1,
        max_rate: None,
    };

    #[test]
    fn an_estimate_follows_pages_requests_and_rate() {
        let all = estimate(10_000_000, 10_000, 20, BY_KEY);
        assert!((all.s3_dollars - 0.0501).abs() < 1e-9);
        assert!((all.sqs_dollars - 0.5).abs() < 1e-9);
        assert_eq!(all.sending, Duration::from_secs(250));
        let slow = Way {
            max_rate: Some(1000),
            ..BY_KEY
        };
        let slow = estimate(10_000_000, 10_000, 20, slow);
        assert_eq!(slow.sending, Duration::from_secs(10_000));
        let file = Way {
            order: None,
            ..BY_KEY
        };
        assert!(estimate(5, 1, 1, file).sqs_dollars < f64::EPSILON);
    }

    #[test]
    fn packing_makes_one_group_fast_and_each_64_kib_a_request() {
        let total = Way {
            order: Some(Order::Bucket),
            ..BY_KEY
        };
        let unpacked = estimate(1_000_000, 1, 1, total);
        let packed = estimate(
            1_000_000,
            1,
            1,
            Way {
                records_per_message: 1_000,
                ..total
            },
        );
        assert_eq!(unpacked.sending, Duration::from_secs(8334));
        assert_eq!(packed.sending, Duration::from_secs(25));
        // 1,000 messages of twelve parts, instead of a million.
        assert!((packed.sqs_dollars - 0.006).abs() < 1e-9);
    }

    #[test]
    fn prices_are_those_of_the_cost_model() {
        let prices = include_str!("../../../infra/prices.yaml");
        for line in [
            format!("thousand_list_and_put: {S3_THOUSAND_REQUESTS}"),
            format!("million_fifo_requests: {FIFO_MILLION_REQUESTS:.2}"),
            format!("million_standard_requests: {STANDARD_MILLION_REQUESTS:.2}"),
        ] {
            assert!(prices.contains(&line), "{line}");
        }
    }
}
