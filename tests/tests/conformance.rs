//! The suites of the ports against the AWS adapters, on the deployed stack's own resources.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::builders::KeySchemaElementBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use bridge_aws::jobs::DynamoJobs;
use bridge_aws::keys::DynamoKeys;
use bridge_aws::lister::S3Lister;
use bridge_aws::live::DynamoLive;
use bridge_aws::plans::S3Plans;
use bridge_aws::sdk;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::{DYNAMODB, SQS};
use bridge_aws::stream::DynamoStream;
use bridge_core::listing::lister::Lister;
use bridge_core::live::exact::store::KeyStore as _;
use bridge_core::live::place::Intent;
use bridge_core::live::store::{Claim, LiveStore as _};
use bridge_core::timestamp::Timestamp;
use bridge_core::watched::{Versioned as _, Versioning};
use bridge_sim::conformance;
use e2e::{STACK, Stack, aws};

#[tokio::test]
async fn plan_store_on_s3() {
    let stack = Stack::connect(STACK).await.unwrap();
    let bucket = stack.output("PlanBucketName").to_owned();
    let store = S3Plans::new(stack.s3.clone(), bucket);
    conformance::plan_store(&store, "conformance").await;
}

#[tokio::test]
async fn job_store_on_dynamodb() {
    let stack = Stack::connect(STACK).await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&aws::load().await);
    let table = stack.output("CheckpointTableName").to_owned();
    let store = DynamoJobs::new(client.clone(), table.clone());
    conformance::job_store(Arc::new(store), "conformance").await;
    for id in ["conformance-1", "conformance-2"] {
        let id = aws_sdk_dynamodb::types::AttributeValue::S(id.to_owned());
        let delete = client.delete_item().table_name(&table).key("jobId", id);
        delete.send().await.unwrap();
    }
}

/// A table as the template's live table is.
struct LiveTable {
    client: aws_sdk_dynamodb::Client,
    name: &'static str,
}

impl LiveTable {
    async fn create(name: &'static str) -> Self {
        Stack::connect(STACK).await.unwrap(); // the endpoint of the local AWS is set
        let client = aws_sdk_dynamodb::Client::new(&aws::load().await);
        let key = |builder: KeySchemaElementBuilder| builder.attribute_name("id").build().unwrap();
        let create = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key(KeySchemaElement::builder().key_type(KeyType::Hash)))
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name("id")
                    .attribute_type(ScalarAttributeType::S)
                    .build()
                    .unwrap(),
            );
        create.send().await.unwrap();
        Self { client, name }
    }

    /// A client as the functions have it.
    async fn own_client() -> Arc<ServiceClient> {
        let client = ServiceClient::new(DYNAMODB, &aws::load().await, sdk::connector());
        Arc::new(client)
    }

    async fn delete(self) {
        let delete = self.client.delete_table().table_name(self.name);
        delete.send().await.unwrap();
    }
}

#[tokio::test]
async fn live_store_on_dynamodb() {
    let table = LiveTable::create("bridge-live-conformance").await;
    let client = LiveTable::own_client().await;
    let store = DynamoLive::new(Arc::clone(&client), table.name.to_owned());
    conformance::live_store(&store, "ünï/ä").await;
    let keys = DynamoKeys::new(client, table.name.to_owned());
    conformance::key_store(&keys, "ünï/keys").await;

    // Where the choice has changed both meet. A holder of `newest` looks at no mark.
    let (key, now) = ("ünï/both", Timestamp(1_000));
    let claim = Claim {
        key: key.to_owned(),
        owner: "newest".to_owned(),
        intent: Intent::default(),
        until: Timestamp(2_000),
        expires: Timestamp(2_000_000_000_000),
    };
    store.claim(&claim, now).await.unwrap();
    assert_eq!(keys.mark(key, "r1#", now).await, Ok(false));
    table.delete().await;
}

#[tokio::test]
async fn stream_store_on_dynamodb() {
    let table = LiveTable::create("bridge-stream-conformance").await;
    let store = DynamoStream::new(LiveTable::own_client().await, table.name.to_owned());
    conformance::stream_store(&store).await;
    table.delete().await;
}

#[tokio::test]
async fn queue_on_sqs() {
    let stack = Stack::connect(STACK).await.unwrap();
    let own = ServiceClient::new(SQS, &aws::load().await, sdk::connector());
    for (name, client) in [
        ("conformance-own", SqsClient::Signed(Arc::new(own))),
        ("conformance-sdk", SqsClient::Sdk(stack.sqs.clone())),
    ] {
        let url = stack.create_queue(name).await.unwrap();
        let queue = client.queue(url.clone());
        let read = async |wanted| {
            let timeout = Duration::from_secs(30);
            let received = stack.receive(&url, wanted, timeout, |_| true).await;
            received.unwrap().into_iter().map(|r| r.raw).collect()
        };
        conformance::fifo_queue(&queue, read).await;
    }
}

#[tokio::test]
async fn lister_on_s3() {
    let stack = Stack::connect(STACK).await.unwrap();
    let mut expected = Vec::new();
    for step in 0..2 {
        for key in ["conform/a b", "conform/a+b", "conform/ü&<>", "conform/z"] {
            let body = step.to_string();
            expected.push((key.to_owned(), stack.put(key, &body).await.unwrap()));
        }
        let key = "conform/z".to_owned();
        expected.push((key.clone(), stack.delete(&key).await.unwrap()));
    }
    expected.reverse();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let (sdk, bucket) = (aws::load().await, stack.output("BucketName").to_owned());
    let own = SignedBucket::new(
        Arc::new(S3Client::new(&sdk, sdk::connector())),
        bucket.clone(),
    );
    let listers: [&dyn Lister; 2] = [&own, &S3Lister::new(&sdk, bucket)];
    for lister in listers {
        conformance::lister(lister, "conform/", &expected).await;
    }
    assert_eq!(own.versioning().await, Ok(Versioning::Enabled));
}
