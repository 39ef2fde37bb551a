//! A call of a table in memory, as faults strike it.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::live::store::LiveStoreError;
use tokio::time::sleep;

use crate::faults::{Faults, Strike};

/// The longest that a delayed write is on its way.
const MOST_DELAY_MS: u64 = 20_000;

/// One call of a table, which may fail before or after its effect, or take effect later.
pub(crate) async fn struck<I: Send + Sync + 'static, T>(
    faults: &Faults,
    items: &Arc<I>,
    write: impl Fn(&I) -> Result<T, LiveStoreError> + Send + 'static,
) -> Result<T, LiveStoreError> {
    let strike = faults.strike().await;
    match strike {
        Strike::None => return write(items),
        Strike::Before | Strike::Throttled => {}
        Strike::After => drop(write(items)),
        Strike::Late => {
            let items = Arc::clone(items);
            let delay = Duration::from_millis(faults.below(MOST_DELAY_MS));
            tokio::spawn(async move {
                sleep(delay).await;
                drop(write(&items));
            });
        }
    }
    Err(LiveStoreError::Store {
        reason: format!("{strike:?}"),
        kind: strike.kind(),
    })
}
