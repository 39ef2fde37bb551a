//! How a person or a supervisor stops a job.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::tell;

/// The first Ctrl-C or SIGTERM cancels the token: an orderly end, with a checkpoint. The second ends the
/// process.
///
/// # Errors
/// When the system does not let the process listen to signals.
pub(super) fn stop_on_interrupt() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let requested = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if requested.is_cancelled() {
                std::process::exit(3);
            }
            tell("stopping after what is on its way; once more to stop at once");
            requested.cancel();
        }
    });
    Ok(stop)
}
