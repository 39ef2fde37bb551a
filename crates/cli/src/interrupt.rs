//! How a person or a supervisor stops what the program does.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The first Ctrl-C or SIGTERM cancels the token, once `told` has told what now happens: an orderly end. The
/// second ends the process.
///
/// # Errors
/// When the system does not let the process listen to signals.
pub(crate) fn stop_on_interrupt(
    told: impl Fn() + Send + 'static,
) -> anyhow::Result<CancellationToken> {
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
            told();
            requested.cancel();
        }
    });
    Ok(stop)
}
