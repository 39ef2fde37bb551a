//! What `LIVE_ORDER` works with: a table of `DynamoDB`, or the state directory.

use std::path::Path;
use std::sync::Arc;

use bridge_aws::realtime;
use bridge_aws::sdk::{SdkConfig, SharedHttpConnector};
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_core::config::LiveConfig;
use bridge_core::live::stream::{LiveOrder, StreamStore};
use bridge_core::realtime::gate::Gate;
use bridge_core::realtime::send::Live;
use bridge_local::live::stream::LocalStream;
use bridge_local::live::table::LocalLive;

use crate::Usage;
use crate::serve::options::Settings;

/// What realtime works with, and what a job needs that live follows.
pub(crate) struct Chosen {
    /// What is sent of what comes.
    pub live: Live,
    /// Whether anything is.
    pub gate: Gate,
    /// What holds for all keys, where the gate looks at it.
    pub stream: Option<Arc<dyn StreamStore>>,
    /// The state directory's table, where it is that.
    pub table: Option<LocalLive>,
}

/// By the settings.
///
/// # Errors
/// [`Usage`], when the state directory's table cannot be opened.
pub(crate) fn choose(
    settings: &Settings,
    state: &Path,
    sdk: &SdkConfig,
    http: &SharedHttpConnector,
) -> Result<Chosen, Usage> {
    let config = &settings.realtime.live;
    if !settings.is_local {
        let (live, gate) = realtime::ports(config, sdk, http);
        let stream = match config {
            LiveConfig::Notified => None,
            LiveConfig::Newest { table } | LiveConfig::Exact { table } => {
                let client = ServiceClient::new(DYNAMODB, sdk, http.clone());
                let stream = DynamoStream::new(Arc::new(client), table.clone());
                Some(Arc::new(stream) as Arc<dyn StreamStore>)
            }
        };
        return Ok(Chosen {
            live,
            gate,
            stream,
            table: None,
        });
    }
    let table = LocalLive::open(state).map_err(|error| Usage(error.to_string()))?;
    let stream = LocalStream::new(table.clone());
    let checked = table.clone();
    let (live, order) = match config {
        LiveConfig::Notified => (Live::Notified, LiveOrder::Notified),
        LiveConfig::Newest { .. } => (Live::Newest(Box::new(table)), LiveOrder::Newest),
        LiveConfig::Exact { .. } => {
            let s3 = Arc::new(S3Client::new(sdk, http.clone()));
            let exact = realtime::exact(Box::new(table), s3);
            (Live::Exact(exact), LiveOrder::Exact)
        }
    };
    Ok(Chosen {
        live,
        gate: Gate::by(Box::new(stream.clone()), order),
        stream: Some(Arc::new(stream)),
        table: Some(checked),
    })
}

/// Closes the state directory's table, where it is that: the next process then has nothing to repair.
pub(crate) async fn close(table: Option<LocalLive>) {
    if let Some(table) = table {
        table.close().await;
    }
}
