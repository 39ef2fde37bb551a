//! What the stack costs: idle, for a reseed, and for live events.
//!
//! A model: it estimates requests and CPU time from the design and from docs/BENCHMARKS.md, and prices
//! them by `prices.yaml`. Free tiers are left out.

mod table;
#[cfg(test)]
mod tests;

use crate::prices::Prices;

pub use table::table;

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
/// Alarms of a stack with a bucket and a queue of its own; `infra/tests/cost.rs` counts them.
pub const ALARMS: u32 = 14;
/// Services keep a data key for five minutes. Of an idle stack only the sweep asks, for the table of jobs.
/// Source: Amazon `DynamoDB` Developer Guide, "How `DynamoDB` uses AWS KMS".
const KEY_REQUESTS_A_MONTH: f64 = 12.0 * 24.0 * 30.0;
/// What happens to a job that nobody stops and nothing follows: it starts and is done.
const JOB_EVENTS: f64 = 2.0;
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
                what: "EventBridge, what happens to jobs",
                idle: 0.0,
                reseed: JOB_EVENTS / 1e6 * self.eventbridge.million_events,
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

    /// `KmsKeyArn`: a key of its own, and who asks for it in an idle stack.
    fn key(&self) -> f64 {
        self.kms.key_month + KEY_REQUESTS_A_MONTH / 10_000.0 * self.kms.ten_thousand_requests
    }

    /// `AlarmTopicArn`.
    fn alarms(&self) -> f64 {
        f64::from(ALARMS) * self.cloudwatch.alarm_month
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
