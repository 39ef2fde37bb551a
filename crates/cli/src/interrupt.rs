//! How a person, a supervisor or a limit stops what the program does.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signal of a write past the largest file that is allowed (`ulimit -f`), on Linux and macOS.
/// Source: signal(7).
const SIGXFSZ: i32 = 25;

/// Such a write fails from now on, as one to a full disk does. The signal would end the process without a word.
///
/// # Errors
/// When the system does not let the process listen to signals.
pub(crate) fn outlive_file_limit() -> anyhow::Result<()> {
    // Dropped at once: who listens once is never ended by it again.
    drop(signal(SignalKind::from_raw(SIGXFSZ)).context("listening to SIGXFSZ")?);
    Ok(())
}

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
