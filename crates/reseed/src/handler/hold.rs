//! What `status` and `health` tell of a hold.

use bridge_core::live::store::LiveStoreError;
use bridge_history::job::ports::Ports;
use serde_json::{Value, json};

/// Who holds live changes back, since when, and how many wait; `None` where nobody does.
///
/// # Errors
/// The live table's.
pub(super) async fn hold(ports: &Ports) -> Result<Option<Value>, LiveStoreError> {
    let Some(live) = &ports.live else {
        return Ok(None);
    };
    let Some(hold) = live.stream.read().await?.hold else {
        return Ok(None);
    };
    let mut told = json!({
        "owner": hold.owner,
        "since": hold.since,
        "seconds": ports.clock.now().since(hold.since).as_secs(),
    });
    if let Some(url) = &live.buffer_url {
        told["buffer"] = match ports.queues.open(url).depth().await {
            Ok(depth) => json!({ "url": url, "depth": depth }),
            Err(refusal) => json!({ "url": url, "error": refusal.to_string() }),
        };
    }
    Ok(Some(told))
}
