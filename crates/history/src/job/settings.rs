//! How a segment works.

use std::time::Duration;

use crate::scan::scanner::ScanSettings;
use crate::send::sender::SendSettings;

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
            region,
            seed,
        }
    }
}
