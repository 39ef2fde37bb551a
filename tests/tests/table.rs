//! The job table as it grows, and as an upgrade finds it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, CreateGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
    PutRequest, ScalarAttributeType, WriteRequest,
};
use bridge_aws::jobs::DynamoJobs;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::JobId;
use bridge_history::job::options::Options;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore;
use bridge_sim::conformance;
use e2e::aws;

const ENDED: usize = 10_000;

async fn client() -> Client {
    assert!(
        std::env::var_os("AWS_ENDPOINT_URL").is_some(),
        "these tests need the local AWS: run them with `cargo xtask test`"
    );
    Client::new(&aws::load().await)
}

fn attribute(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name);
    let definition = definition.attribute_type(ScalarAttributeType::S);
    definition.build().unwrap()
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    let element = KeySchemaElement::builder().attribute_name(name);
    element.key_type(kind).build().unwrap()
}

/// A table as stacks made it before there was an index.
async fn make_table(client: &Client, table: &str) {
    let create = client.create_table().table_name(table);
    create
        .attribute_definitions(attribute("jobId"))
        .key_schema(key("jobId", KeyType::Hash))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

/// Adds the template's index, as a deploy does, and waits until it holds what is there.
async fn add_index(client: &Client, table: &str) {
    let projection = Projection::builder().projection_type(ProjectionType::KeysOnly);
    let index = CreateGlobalSecondaryIndexAction::builder()
        .index_name("phase-createdAt")
        .key_schema(key("phase", KeyType::Hash))
        .key_schema(key("createdAt", KeyType::Range))
        .projection(projection.build())
        .build()
        .unwrap();
    let update = client.update_table().table_name(table);
    update
        .attribute_definitions(attribute("jobId"))
        .attribute_definitions(attribute("phase"))
        .attribute_definitions(attribute("createdAt"))
        .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(index).build())
        .send()
        .await
        .unwrap();
    for _ in 0..600 {
        let told = client.describe_table().table_name(table).send().await;
        let told = told.unwrap().table.unwrap();
        let status = told.global_secondary_indexes()[0].index_status.clone();
        if status == Some(IndexStatus::Active) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the index of {table} is not active");
}

fn job(number: usize, phase: Phase) -> Job {
    let options: Options = serde_json::from_value(serde_json::json!({
        "filter": { "prefix": "accounts/", "suffix": "", "until": "2027-01-15T08:00:00.000Z",
            "events": "all", "currentOnly": false },
        "order": "key", "format": "bridge", "dryRun": false,
        "queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/bridge-events.fifo",
    }))
    .unwrap();
    let at = Timestamp(1_800_000_000_000 + i64::try_from(number).unwrap() * 1000);
    let digest = format!("{number:08x}");
    let id = format!("20270115-{digest}-1");
    let mut job = Job::new(
        JobId::stored(id),
        "bridge-bucket-kdwwxmddtr2g",
        options,
        digest,
        at,
    );
    job.phase = phase;
    job
}

/// 10,000 copies of an ended job, as items.
async fn fill(client: &Client, table: &str, store: &DynamoJobs) {
    let model = job(0, Phase::Done);
    store.create(&model).await.unwrap();
    let get = client.get_item().table_name(table);
    let get = get.key("jobId", AttributeValue::S(model.job_id.to_string()));
    let item = get.send().await.unwrap().item.unwrap();
    let copy = |number: usize| {
        let of = job(number, Phase::Done);
        let mut item = item.clone();
        item.insert("jobId".to_owned(), AttributeValue::S(of.job_id.to_string()));
        let at = AttributeValue::S(of.created_at.to_string());
        item.insert("createdAt".to_owned(), at);
        let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let numbers: Vec<_> = (0..ENDED).collect();
    for some in numbers.chunks(25) {
        let requests = some.iter().map(|number| copy(*number)).collect();
        let write = client.batch_write_item().request_items(table, requests);
        let answer = write.send().await.unwrap();
        assert!(answer.unprocessed_items().is_none_or(HashMap::is_empty));
    }
}

type Item = HashMap<String, AttributeValue>;

/// Bytes of an item, as they are billed; the emulator tells one unit a page, whatever it holds.
/// Source: Amazon `DynamoDB` Developer Guide, "`DynamoDB` item sizes and formats".
fn bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + bytes_of(value))
        .sum()
}

fn bytes_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::M(map) => 3 + map.len() + bytes(map),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + bytes_of(value)).sum::<usize>(),
        _ => 1,
    }
}

/// Units of 4 KiB begun.
fn units(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(4096).max(1)).unwrap())
}

/// Read units of a consistent scan, which every sweep made before: estimated from what it reads.
async fn units_of_scan(client: &Client, table: &str) -> f64 {
    let scan = client.scan().table_name(table).consistent_read(true);
    let mut pages = scan.into_paginator().send();
    let mut all = 0.0;
    while let Some(page) = pages.next().await {
        all += units(page.unwrap().items().iter().map(bytes).sum());
    }
    all
}

/// Read units of what a sweep asks now: queries that may be a moment old cost half.
async fn units_of_sweep(client: &Client, table: &str, active: &[JobId]) -> f64 {
    let mut all = 0.0;
    for phase in ["scanning", "sending"] {
        let query = client
            .query()
            .table_name(table)
            .index_name("phase-createdAt");
        let answer = query
            .key_condition_expression("phase = :phase")
            .expression_attribute_values(":phase", AttributeValue::S(phase.to_owned()))
            .send()
            .await
            .unwrap();
        all += units(answer.items().iter().map(bytes).sum()) / 2.0;
    }
    for id in active {
        let get = client.get_item().table_name(table).consistent_read(true);
        let answer = get
            .key("jobId", AttributeValue::S(id.to_string()))
            .send()
            .await;
        all += units(bytes(&answer.unwrap().item.unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_reads_the_jobs_at_work_and_not_the_ten_thousand_that_ended() {
    let (client, table) = (client().await, "table-that-grew");
    make_table(&client, table).await;
    let store = DynamoJobs::new(client.clone(), table.to_owned());
    fill(&client, table, &store).await;
    // At work when the stack is upgraded: the index finds them as well.
    for number in 0..3 {
        let phase = [Phase::Scanning, Phase::Sending][number % 2];
        store.create(&job(ENDED + number, phase)).await.unwrap();
    }
    add_index(&client, table).await;
    let active = store.active().await.unwrap();
    let expected: Vec<_> = (0..3)
        .map(|number| job(ENDED + number, Phase::Sending).job_id)
        .collect();
    assert_eq!(active, expected);

    let before = units_of_scan(&client, table).await;
    let now = units_of_sweep(&client, table, &active).await;
    eprintln!("read units of a sweep: {before} before, {now} now");
    assert!(before > 1_000.0, "{before} units");
    assert!(now < 10.0, "{now} units");

    // The newest come first, wherever their phase, and pages fit together.
    let mut after = None;
    for page in 0..3 {
        let places = store.newest(after.as_ref(), 7).await.unwrap();
        let numbers = (ENDED + 3).checked_sub(7 * (page + 1)).unwrap()..ENDED + 3 - 7 * page;
        let expected: Vec<_> = numbers
            .rev()
            .map(|number| job(number, Phase::Done).job_id)
            .collect();
        let told: Vec<_> = places.iter().map(|place| place.job_id.clone()).collect();
        assert_eq!(told, expected);
        after = places.last().cloned();
    }
    client
        .delete_table()
        .table_name(table)
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_moment_are_each_in_one_page() {
    let (client, table) = (client().await, "table-of-one-moment");
    make_table(&client, table).await;
    add_index(&client, table).await;
    let store = DynamoJobs::new(client.clone(), table.to_owned());
    let mut expected = Vec::new();
    for number in 0..20 {
        let mut one = job(number, [Phase::Done, Phase::Failed][number % 2]);
        one.created_at = Timestamp(1_800_000_000_000);
        store.create(&one).await.unwrap();
        expected.push(one.job_id);
    }
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let (mut told, mut after) = (Vec::new(), None);
    loop {
        let places = store.newest(after.as_ref(), 3).await.unwrap();
        let Some(last) = places.last().cloned() else {
            break;
        };
        after = Some(last);
        told.extend(places.into_iter().map(|place| place.job_id));
    }
    assert_eq!(told, expected);
    client
        .delete_table()
        .table_name(table)
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_the_index_added_is_a_job_store() {
    let (client, table) = (client().await, "table-with-index-added");
    make_table(&client, table).await;
    add_index(&client, table).await;
    let store = DynamoJobs::new(client.clone(), table.to_owned());
    conformance::job_store(Arc::new(store), "added").await;
    client
        .delete_table()
        .table_name(table)
        .send()
        .await
        .unwrap();
}
