//! How a segment works.

use std::time::Duration;

use crate::plan::depth::Width;
use crate::scan::scanner::ScanSettings;
use crate::send::sender::SendSettings;

/// Bytes for reading a plan, however little a scan may use.
const LEAST_TO_MERGE: usize = 16 * 1024 * 1024;

/// How a segment works.
#[derive(Debug, Clone)]
pub struct SegmentSettings {
    /// How long a lease lasts unless renewed.
    pub lease: Duration,
    /// How often it is renewed and the checkpoint written.
    pub heartbeat: Duration,
    /// A plan store or a job store that fails is asked again for so long.
    pub retry_timeout: Duration,
    /// The first half.
    pub scan: ScanSettings,
    /// The second half.
    pub send: SendSettings,
    /// Runs that are read at the same time, at most.
    pub runs_at_once: usize,
    /// For `awsRegion`.
    pub region: String,
    /// Jitter; the same seed gives the same waits.
    pub seed: u64,
}

impl SegmentSettings {
    /// The contract's values.
    #[must_use]
    pub fn new(region: String, seed: u64) -> Self {
        Self {
            lease: Duration::from_mins(1),
            heartbeat: Duration::from_secs(3),
            retry_timeout: Duration::from_mins(5),
            scan: ScanSettings::default(),
            send: SendSettings::default(),
            runs_at_once: 256,
            region,
            seed,
        }
    }

    /// How much of a plan is read at the same time: sending begins when the scan has given its memory back, and
    /// takes a part of it for messages.
    pub(super) fn width(&self) -> Width {
        let bytes = self.scan.memory_budget / 4 * 3;
        Width {
            runs: self.runs_at_once,
            bytes: bytes.max(LEAST_TO_MERGE),
        }
    }
}
