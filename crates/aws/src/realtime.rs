//! What realtime works with on AWS, as the Lambda function and `serve` do.

use std::sync::{Arc, Mutex};

use bridge_core::config::LiveConfig;
use bridge_core::live::exact::store::KeyStore;
use bridge_core::live::stream::LiveOrder;
use bridge_core::realtime::exact::ExactPorts;
use bridge_core::realtime::gate::Gate;
use bridge_core::realtime::send::Live;

use crate::keys::DynamoKeys;
use crate::live::DynamoLive;
use crate::sdk;
use crate::sdk::{SdkConfig, SharedHttpConnector};
use crate::signed::ServiceClient;
use crate::signed::bucket::SignedBucket;
use crate::signed::s3::S3Client;
use crate::signed::service::DYNAMODB;
use crate::stream::DynamoStream;

/// What is sent of what comes, and whether anything is, as `LIVE_ORDER` and `LIVE_TABLE` say.
#[must_use]
pub fn ports(config: &LiveConfig, sdk: &SdkConfig, http: &SharedHttpConnector) -> (Live, Gate) {
    let (table, order) = match config {
        LiveConfig::Notified => return (Live::Notified, Gate::Open),
        LiveConfig::Newest { table } => (table, LiveOrder::Newest),
        LiveConfig::Exact { table } => (table, LiveOrder::Exact),
    };
    let client = Arc::new(ServiceClient::new(DYNAMODB, sdk, http.clone()));
    let stream = DynamoStream::new(client.clone(), table.clone());
    let gate = Gate::by(Box::new(stream), order);
    let live = match config {
        LiveConfig::Exact { .. } => {
            let s3 = S3Client::new(sdk, http.clone());
            let keys = DynamoKeys::new(client, table.clone());
            Live::Exact(exact(Box::new(keys), Arc::new(s3)))
        }
        _ => Live::Newest(Box::new(DynamoLive::new(client, table.clone()))),
    };
    (live, gate)
}

/// What `exact` works with: buckets of S3, and these keys.
#[must_use]
pub fn exact(keys: Box<dyn KeyStore>, s3: Arc<S3Client>) -> ExactPorts {
    let bucket = move |name: &str| SignedBucket::new(Arc::clone(&s3), name.to_owned());
    let same = bucket.clone();
    ExactPorts {
        keys,
        lister: Box::new(move |name| Box::new(bucket(name))),
        watched: Box::new(move |name| Box::new(same(name))),
        dialect: sdk::dialect(),
        versioned: Mutex::default(),
    }
}
