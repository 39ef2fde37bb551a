//! What the stack costs: idle, for a reseed, and for live events.
//!
//! A model: it estimates requests and CPU time from the design and from docs/BENCHMARKS.md, and prices
//! them by `prices.yaml`. Free tiers are left out.

use std::fmt::Write as _;

use crate::prices::Prices;

/// The template's `LiveOrder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LiveOrder {
    /// Sent as they come.
    Notified,
    /// Each change claims its key in the live table, and gives it back with what was sent.
    Newest,
    /// The same, and each key is listed.
    Exact,
}

/// What is to be priced.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Object versions that a reseed lists.
    pub versions: f64,
    /// Events that a reseed sends.
    pub events: f64,
    /// Events that share a message.
    pub records_per_message: f64,
    /// Live changes.
    pub live: f64,
    /// Live changes that share an invocation of realtime (`Ingestion=buffered`); 0: direct.
    pub batch: f64,
    /// Changes come by `EventBridge` (`ExistingBucket`).
    pub existing_bucket: bool,
    /// What is done about live changes that come in the wrong order (`LiveOrder`).
    pub live_order: LiveOrder,
    /// A FIFO queue, or a standard one.
    pub fifo: bool,
    /// arm64, or `x86_64`.
    pub arm64: bool,
    /// MiB of the reseed function.
    pub memory: f64,
}

impl Default for Usage {
    /// What the README's table shows.
    fn default() -> Self {
        Self {
            versions: 50e6,
            events: 10e6,
            records_per_message: 1.0,
            live: 1e6,
            batch: 0.0,
            existing_bucket: false,
            live_order: LiveOrder::Notified,
            fifo: true,
            arm64: false,
            memory: 1024.0,
        }
    }
}

/// What one service costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The service, and what of it.
    pub what: &'static str,
    /// A month in which nothing happens.
    pub idle: f64,
    /// One reseed.
    pub reseed: f64,
    /// The live changes.
    pub live: f64,
}

const SWEEPS_A_MONTH: f64 = 60.0 * 24.0 * 30.0;
/// Read units of a sweep that finds nothing, however many jobs have ended: two queries of an index, each
/// half a unit as it need not be consistent. `tests/tests/table.rs` counts them.
const SWEEP_READS: f64 = 1.0;
/// A sweep that finds nothing, at the reseed function's memory.
/// Assumed, as are the next seconds and bytes that name no source: nothing was measured on AWS.
const SWEEP_SECONDS: f64 = 0.02;
/// CPU of a version from page to run, and of an event from run to acknowledgement, on the machine
/// of docs/BENCHMARKS.md, rounded up.
const SCAN_CPU_SECONDS: f64 = 2.5e-6;
const SEND_CPU_SECONDS: f64 = 22e-6;
const PACKED_CPU_SECONDS: f64 = 4e-6;
/// One virtual CPU comes with so many MiB.
/// Source: AWS Lambda Developer Guide, "Configure Lambda function memory".
const MIB_A_CPU: f64 = 1769.0;
/// A live event is sent within so long at 256 MiB: a round trip to SQS.
const LIVE_SECONDS: f64 = 0.03;
const LIVE_GIB: f64 = 0.25;
/// A claim and its return, each a write of one unit, as items are below 1 KB. Changes of a key that come in one
/// batch share them: not counted on here.
/// Source: Amazon `DynamoDB` Developer Guide, "`DynamoDB` on-demand capacity mode".
const CLAIM_WRITES: f64 = 2.0;
/// Whether the stream is held: a consistent read of one unit, of each invocation and of each sweep.
const HOLD_READS: f64 = 1.0;
/// How long all three are waited for.
const CLAIM_SECONDS: f64 = 0.03;
/// How long a listing is waited for.
const LISTING_SECONDS: f64 = 0.05;
/// Bytes of an event in a notification document, with its part of the attributes.
const RECORD_BYTES: f64 = 750.0;
/// Lambda asks an empty buffer for messages in five places, 20 seconds at a time.
/// Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"; assumed for the whole month.
const POLLS_A_MONTH: f64 = 5.0 * 3.0 * 60.0 * 24.0 * 30.0;
/// Messages that one request to SQS carries, of a batch.
const ENTRIES: f64 = 10.0;
/// Log lines of an invocation.
const LOG_BYTES: f64 = 600.0;
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
/// A version in a run, stored for a month: 79 bytes measured for the benchmark's hashed keys.
const PLAN_BYTES: f64 = 80.0;
/// Versions of a run at the default memory, and reads of one while it is merged.
const ROWS_OF_RUN: f64 = 400_000.0;
const ROWS_OF_READ: f64 = 2_048.0;
/// Pages that find nothing or little, beside a full page for each 1,000 versions.
const PAGES_A_VERSION: f64 = 1.1 / 1000.0;

impl Prices {
    /// A table by service.
    #[must_use]
    pub fn lines(&self, usage: &Usage) -> Vec<Line> {
        let cpu_seconds = usage.versions * SCAN_CPU_SECONDS
            + usage.events
                * if usage.records_per_message > 1.0 {
                    PACKED_CPU_SECONDS
                } else {
                    SEND_CPU_SECONDS
                };
        let seconds = cpu_seconds / (usage.memory / MIB_A_CPU).min(2.0);
        let segments = (seconds / 870.0).ceil();
        let gib_second = if usage.arm64 {
            self.lambda.gib_second_arm64
        } else {
            self.lambda.gib_second_x86_64
        };
        let invocation = self.lambda.million_invocations / 1e6;
        let log = LOG_BYTES / GIB * self.cloudwatch.gib_of_logs;
        // A request that sends, or an invocation that sends one event.
        let invocations = usage.live / usage.batch.max(1.0);
        let sends = usage.live / usage.batch.clamp(1.0, ENTRIES);
        let send_seconds = match usage.live_order {
            LiveOrder::Notified => LIVE_SECONDS,
            LiveOrder::Newest => LIVE_SECONDS + CLAIM_SECONDS,
            LiveOrder::Exact => LIVE_SECONDS + CLAIM_SECONDS + LISTING_SECONDS,
        };
        let million_requests = if usage.fifo {
            self.sqs.million_fifo_requests
        } else {
            self.sqs.million_standard_requests
        };
        [
            Line {
                what: "Lambda, reseed",
                idle: SWEEPS_A_MONTH
                    * (invocation + SWEEP_SECONDS * usage.memory / 1024.0 * gib_second),
                reseed: seconds * usage.memory / 1024.0 * gib_second + segments * invocation,
                live: 0.0,
            },
            Line {
                what: "Lambda, realtime",
                idle: 0.0,
                reseed: 0.0,
                live: invocations * invocation + sends * send_seconds * LIVE_GIB * gib_second,
            },
            Line {
                what: "SQS, sending (a consumer pays about twice that to receive and delete)",
                idle: 0.0,
                reseed: requests(usage) / 1e6 * million_requests,
                live: sends / 1e6 * million_requests,
            },
            Line {
                what: "S3, listing and the plan",
                idle: 0.0,
                reseed: self.s3_of_reseed(usage),
                live: 0.0,
            },
            Line {
                what: "DynamoDB",
                idle: SWEEPS_A_MONTH * SWEEP_READS / 1e6 * self.dynamodb.million_reads,
                // A heartbeat every three seconds.
                reseed: seconds / 3.0 / 1e6 * self.dynamodb.million_writes,
                live: 0.0,
            },
            Line {
                what: "EventBridge Scheduler, the sweep",
                idle: SWEEPS_A_MONTH / 1e6 * self.scheduler.million_invocations,
                reseed: 0.0,
                live: 0.0,
            },
            Line {
                what: "CloudWatch Logs",
                idle: SWEEPS_A_MONTH * log,
                reseed: segments * 50.0 * log,
                live: invocations * log,
            },
        ]
        .into_iter()
        .chain(self.buffer(usage))
        .chain(self.bus(usage))
        .chain(self.live_table(usage))
        .chain(self.listings(usage))
        .collect()
    }

    /// S3 puts each change into the buffer; Lambda takes and deletes up to ten a request.
    fn buffer(&self, usage: &Usage) -> Option<Line> {
        let million_requests = self.sqs.million_standard_requests;
        let requests = usage.live * (1.0 + 2.0 / usage.batch.clamp(1.0, ENTRIES));
        (usage.batch > 0.0).then(|| Line {
            what: "SQS, the buffer",
            idle: POLLS_A_MONTH / 1e6 * million_requests,
            reseed: 0.0,
            live: requests / 1e6 * million_requests,
        })
    }

    fn bus(&self, usage: &Usage) -> Option<Line> {
        usage.existing_bucket.then(|| Line {
            what: "EventBridge, changes",
            idle: 0.0,
            reseed: 0.0,
            live: usage.live / 1e6 * self.eventbridge.million_events,
        })
    }

    fn live_table(&self, usage: &Usage) -> Option<Line> {
        (usage.live_order != LiveOrder::Notified).then(|| Line {
            what: "DynamoDB, the live table",
            idle: SWEEPS_A_MONTH * HOLD_READS / 1e6 * self.dynamodb.million_reads,
            reseed: 0.0,
            live: usage.live * CLAIM_WRITES / 1e6 * self.dynamodb.million_writes
                + usage.live / usage.batch.max(1.0) * HOLD_READS / 1e6
                    * self.dynamodb.million_reads,
        })
    }

    /// A listing of each change's key. Changes of a key that come in one batch share it: not counted on here.
    fn listings(&self, usage: &Usage) -> Option<Line> {
        (usage.live_order == LiveOrder::Exact).then(|| Line {
            what: "S3, listings of keys",
            idle: 0.0,
            reseed: 0.0,
            live: usage.live / 1000.0 * self.s3.thousand_list_and_put,
        })
    }

    fn s3_of_reseed(&self, usage: &Usage) -> f64 {
        let runs = (usage.versions / ROWS_OF_RUN).ceil();
        // Each run is followed by a manifest.
        let writes = usage.versions * PAGES_A_VERSION + 2.0 * runs;
        let reads = usage.versions / ROWS_OF_READ + runs;
        writes / 1000.0 * self.s3.thousand_list_and_put
            + reads / 1000.0 * self.s3.thousand_get
            + usage.versions * PLAN_BYTES / GIB * self.s3.gib_month
    }
}

/// Requests that SQS bills: each 64 KiB begun is one.
fn requests(usage: &Usage) -> f64 {
    if usage.records_per_message <= 1.0 {
        return (usage.events / 10.0).ceil();
    }
    let messages = (usage.events / usage.records_per_message).ceil();
    let bytes = usage.records_per_message.min(usage.events) * RECORD_BYTES;
    messages * (bytes / 65_536.0).ceil()
}

/// What an order adds that was not asked for.
const ADDED: [(LiveOrder, &str); 2] = [
    (
        LiveOrder::Newest,
        "`LiveOrder=newest` adds: two writes to DynamoDB a change, a read an invocation and a sweep, and the time they take",
    ),
    (
        LiveOrder::Exact,
        "`LiveOrder=exact` adds: the same, and a listing a change",
    ),
];

/// The table in Markdown, with its sums, and what `newest` and `exact` would add if none was asked for.
#[must_use]
pub fn table(prices: &Prices, usage: &Usage) -> String {
    let lines = prices.lines(usage);
    let millions = |count: f64| format!("{} million", count / 1e6);
    let mut text = format!(
        "| US dollars, prices of {} | idle, a month | reseed: {} versions, {} events | {} live changes |\n|---|---|---|---|\n",
        prices.as_of,
        millions(usage.versions),
        millions(usage.events),
        millions(usage.live),
    );
    for line in &lines {
        write_line(&mut text, line);
    }
    let all = sum("**all**", &lines);
    write_line(&mut text, &all);
    if usage.live_order == LiveOrder::Notified {
        for (live_order, what) in ADDED {
            let ordered = Usage {
                live_order,
                ..usage.clone()
            };
            let with = sum(what, &prices.lines(&ordered));
            let added = Line {
                idle: with.idle - all.idle,
                reseed: with.reseed - all.reseed,
                live: with.live - all.live,
                ..with
            };
            write_line(&mut text, &added);
        }
    }
    text
}

fn sum(what: &'static str, lines: &[Line]) -> Line {
    let of = |part: fn(&Line) -> f64| lines.iter().map(part).sum();
    Line {
        what,
        idle: of(|line| line.idle),
        reseed: of(|line| line.reseed),
        live: of(|line| line.live),
    }
}

fn write_line(text: &mut String, line: &Line) {
    let dollars = |amount: f64| match amount {
        0.0 => String::new(),
        small if small < 0.005 => "< 0.01".to_owned(),
        amount => format!("{amount:.2}"),
    };
    let cells = [line.idle, line.reseed, line.live].map(dollars);
    let _ = writeln!(text, "| {} | {} |", line.what, cells.join(" | "));
}

#[cfg(test)]
mod tests {
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
        assert!(!table(&prices, &usage).contains("adds"));
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
}
