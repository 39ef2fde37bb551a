//! What a segment tells the store while it works: that it is alive, and how far it is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::histogram;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::job::lease::{JobLease, LeaseError};
use crate::job::state::Job;
use crate::send::checkpoint::Checkpoint;
use crate::send::watermark::{Watermark, lock};

/// The checkpoint, and how many events up to it were parked: of one moment.
pub(super) fn passed(watermark: &Mutex<Watermark>) -> (Checkpoint, u64) {
    let watermark = lock(watermark);
    (watermark.checkpoint(), watermark.parked())
}

/// Renews the lease and writes the checkpoint, until the work is done or the segment is fenced.
pub(super) async fn heartbeat(
    lease: &JobLease,
    watermark: &Mutex<Watermark>,
    held: &AtomicBool,
    every: Duration,
    done: &CancellationToken,
) {
    loop {
        tokio::select! {
            () = done.cancelled() => return,
            () = sleep(every) => {}
        }
        let (checkpoint, parked) = passed(watermark);
        let beat = lease
            .try_update(&|job: &mut Job| {
                job.checkpoint = checkpoint.clone();
                job.counts.parked = parked;
                if held.load(Ordering::Relaxed) {
                    // It waits because it was asked to: it is not stalled.
                    job.progress_at = Some(job.updated_at);
                    job.counts.failures = 0;
                }
            })
            .await;
        histogram!("StalledSeconds").record(lease.stalled().await.as_secs_f64());
        match beat {
            Ok(()) => tracing::debug!(sequence = checkpoint.sequence, "checkpoint"),
            Err(LeaseError::Fenced) => return,
            // The gate closes by itself when the lease cannot be renewed.
            Err(LeaseError::Store(error)) => {
                tracing::warn!(%error, "the checkpoint was not written");
            }
        }
    }
}
