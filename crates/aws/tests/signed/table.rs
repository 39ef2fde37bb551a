//! What the live table is asked, and what becomes of its answers.

use std::sync::Arc;

use bridge_aws::keys::DynamoKeys;
use bridge_aws::live::DynamoLive;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_core::failure::FailureKind;
use bridge_core::live::exact::store::{KeyClaim, KeyStore as _};
use bridge_core::live::place::{Intent, Place};
use bridge_core::live::store::{Claim, LiveStore as _, LiveStoreError, Return};
use bridge_core::live::stream::{HistoryEnd, LiveOrder, StreamStore as _};
use bridge_core::timestamp::Timestamp;
use serde_json::json;

use crate::server::{Reply, Server};

const FAILED: &str = "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\",\
    \"message\":\"The conditional request failed\"}";

struct Table {
    server: Server,
    live: DynamoLive,
    keys: DynamoKeys,
    stream: DynamoStream,
}

impl Table {
    async fn of(replies: &[Reply]) -> Self {
        let server = Server::of(replies);
        let client = Arc::new(server.client(DYNAMODB).await);
        let name = || "live".to_owned();
        Self {
            server,
            live: DynamoLive::new(Arc::clone(&client), name()),
            keys: DynamoKeys::new(Arc::clone(&client), name()),
            stream: DynamoStream::new(client, name()),
        }
    }

    async fn answering(body: &'static str) -> Self {
        Self::of(&[(200, vec![], body)]).await
    }
}

fn claim() -> Claim {
    Claim {
        key: "ü\"\n".to_owned(),
        owner: "r#1".to_owned(),
        until: Timestamp(1_500),
        expires: Timestamp(9_999),
        intent: Intent {
            newest: Some("05".to_owned()),
            removals: vec!["v1".to_owned()],
        },
    }
}

fn key_claim() -> KeyClaim {
    KeyClaim {
        key: "k".to_owned(),
        owner: "r#1".to_owned(),
        until: Timestamp(1_500),
        expires: Timestamp(9_999),
    }
}

#[tokio::test]
async fn an_update_is_asked_for_and_the_item_before_it_read() {
    let table = Table::answering(
        r#"{"Attributes":{"id":{"S":"key#ü"},"revision":{"N":"7"},"sent":{"S":"04"},"claimOwner":{"S":"r#1"},
        "intents":{"L":[{"S":"03"},{"M":{}},{"S":"05"}]},"other":{"M":{"a":{"NULL":true}}},"more":{"B":"AA=="}},
        "ConsumedCapacity":{"CapacityUnits":1.0}}"#,
    )
    .await;
    let claimed = table.live.claim(&claim(), Timestamp(1_000)).await.unwrap();
    assert_eq!(claimed.place.sent.as_deref(), Some("04"));
    assert_eq!(claimed.place.intents, ["03", "05"]);
    // It was written before removals were kept apart.
    let removals = [claimed.place.removed, claimed.place.removing];
    assert_eq!(removals.concat(), Vec::<String>::new());
    assert!(claimed.is_own);
    assert_eq!(claimed.revision, 8);
    let server = &table.server;
    assert_eq!(
        server.header(0, "x-amz-target"),
        "DynamoDB_20120810.UpdateItem"
    );
    assert_eq!(
        server.asked(0),
        json!({
            "TableName": "live",
            "Key": { "id": { "S": "key#ü\"\n" } },
            "ConditionExpression":
                "attribute_not_exists(claimOwner) OR claimUntil < :now OR claimOwner = :owner",
            "UpdateExpression": "SET claimOwner = :owner, claimUntil = :until, expiresAt = :expires, \
                intents = list_append(if_not_exists(intents, :none), :intent), \
                removing = list_append(if_not_exists(removing, :none), :removals) ADD revision :one",
            "ExpressionAttributeValues": {
                ":owner": { "S": "r#1" }, ":until": { "N": "1500" }, ":expires": { "N": "9" },
                ":now": { "N": "1000" }, ":intent": { "L": [{ "S": "05" }] }, ":none": { "L": [] },
                ":one": { "N": "1" }, ":removals": { "L": [{ "S": "v1" }] },
            },
            "ReturnValues": "ALL_OLD",
        })
    );
}

#[tokio::test]
async fn a_place_is_given_back_whole_and_read_again() {
    let table = Table::answering(
        r#"{"Attributes":{"removed":{"L":[{"S":"v1"}]},"removing":{"L":[{"S":"v2"}]}}}"#,
    )
    .await;
    let claimed = table.live.claim(&claim(), Timestamp(1_000)).await.unwrap();
    let place = Place {
        removed: vec!["v1".to_owned()],
        removing: vec!["v2".to_owned()],
        ..Place::default()
    };
    assert_eq!(claimed.place, place);
    let done = Return {
        key: "k".to_owned(),
        owner: "r#1".to_owned(),
        revision: 1,
        place,
        expires: Timestamp(9_999),
    };
    table.live.give_back(&done).await.unwrap();
    let asked = table.server.asked(1);
    assert_eq!(
        asked["UpdateExpression"],
        "SET expiresAt = :expires, intents = :intents, removed = :removed, removing = :removing \
            REMOVE claimOwner, claimUntil, sent"
    );
    let values = &asked["ExpressionAttributeValues"];
    assert_eq!(values[":removed"], json!({ "L": [{ "S": "v1" }] }));
    assert_eq!(values[":removing"], json!({ "L": [{ "S": "v2" }] }));
}

#[tokio::test]
async fn a_stream_is_released_with_where_its_history_ended_and_without_an_order() {
    let table = Table::answering("{}").await;
    for (number, dated_back, expression) in [
        (
            0,
            None,
            "SET #boundary = :boundary, covered = :boundary \
                REMOVE holdOwner, holdSince, #order, coveredDatedBack ADD #generation :one",
        ),
        (
            1,
            Some(Timestamp(3)),
            "SET #boundary = :boundary, covered = :boundary, coveredDatedBack = :datedBack \
                REMOVE holdOwner, holdSince, #order ADD #generation :one",
        ),
    ] {
        let until = Timestamp(5);
        let end = HistoryEnd { until, dated_back };
        table.stream.release("job", Some(end)).await.unwrap();
        let asked = table.server.asked(number);
        assert_eq!(asked["UpdateExpression"], expression);
        assert_eq!(
            asked["ExpressionAttributeNames"],
            json!({ "#boundary": "boundary", "#generation": "generation", "#order": "order" })
        );
        let values = &asked["ExpressionAttributeValues"];
        let time = dated_back.map(|time| json!({ "N": time.0.to_string() }));
        assert_eq!(values.get(":datedBack"), time.as_ref());
    }
}

#[tokio::test]
async fn an_item_that_was_not_there_is_empty() {
    for body in ["{}", "{\"Attributes\":null,\"Item\":null}"] {
        let table = Table::answering(body).await;
        let claimed = table.live.claim(&claim(), Timestamp(1_000)).await.unwrap();
        assert_eq!((claimed.revision, claimed.is_own), (1, false));
        let state = table.keys.claim(&key_claim(), Timestamp(1_000)).await;
        let state = state.unwrap();
        assert_eq!((state.revision, state.was_left), (1, false));
        assert_eq!(table.keys.stopped().await.unwrap(), Vec::<String>::new());
        let stream = table.stream.read().await.unwrap();
        assert_eq!((stream.generation, stream.hold), (0, None));
        assert_eq!(
            table.server.asked(3),
            json!({ "TableName": "live", "Key": { "id": { "S": "stream" } }, "ConsistentRead": true })
        );
    }
}

#[tokio::test]
async fn keys_that_are_stopped_are_a_set() {
    let table = Table::answering(r#"{"Item":{"keys":{"SS":["a","b"]}}}"#).await;
    assert_eq!(table.keys.stopped().await.unwrap(), ["a", "b"]);
    table.keys.remove_stopped("a").await.unwrap();
    let asked = table.server.asked(1);
    assert_eq!(
        asked["ExpressionAttributeNames"],
        json!({ "#keys": "keys" })
    );
    assert_eq!(
        asked["ExpressionAttributeValues"],
        json!({ ":key": { "SS": ["a"] } })
    );
    assert!(asked.get("ConditionExpression").is_none(), "{asked}");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_no_fault_of_the_table() {
    let table = Table::of(&[(400, vec![], FAILED)]).await;
    let now = Timestamp(1_000);
    let held = LiveStoreError::Held;
    assert_eq!(
        table.live.claim(&claim(), now).await.unwrap_err(),
        held.clone()
    );
    assert_eq!(
        table.keys.claim(&key_claim(), now).await.unwrap_err(),
        held.clone()
    );
    assert_eq!(table.keys.mark("k", "r#", now).await, Ok(false));
    assert_eq!(table.stream.hold("job", now).await, Err(held));
    assert_eq!(table.stream.release("job", None).await, Ok(()));
    // Who finds a stream of this order reads it.
    let stream = r#"{"Item":{"order":{"S":"exact"},"generation":{"N":"3"},"boundary":{"N":"5"}}}"#;
    let table = Table::of(&[(400, vec![], FAILED), (200, vec![], stream)]).await;
    let stream = table.stream.begin(LiveOrder::Exact, now).await.unwrap();
    assert_eq!(
        (stream.generation, stream.boundary),
        (3, Some(Timestamp(5)))
    );
}

#[tokio::test]
async fn faults_of_the_table_are_told_with_their_kind() {
    for (status, body, kind, told) in [
        (
            400,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\",\
            \"message\":\"Slow\"}",
            FailureKind::Throttled,
            "ProvisionedThroughputExceededException: Slow",
        ),
        (
            400,
            "{\"__type\":\"com.amazon.coral.availability#ThrottlingException\",\"Message\":\"Slow\"}",
            FailureKind::Throttled,
            "ThrottlingException: Slow",
        ),
        (
            500,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\",\"message\":\"Oh\"}",
            FailureKind::Transient,
            "InternalServerError: Oh",
        ),
        (
            400,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"Gone\"}",
            FailureKind::Permanent,
            "ResourceNotFoundException: Gone",
        ),
        (
            503,
            "<html/>",
            FailureKind::Transient,
            "HTTP 503: the answer gives no reason",
        ),
        (
            200,
            "<html/>",
            FailureKind::Transient,
            "BadResponse: expected value at line 1 column 1",
        ),
        (
            200,
            "{\"Attributes\":[],\"Item\":7}",
            FailureKind::Transient,
            "BadResponse: ",
        ),
        (
            200,
            "{\"Attributes\":{\"revision\":{\"N\":",
            FailureKind::Transient,
            "BadResponse: ",
        ),
    ] {
        let table = Table::of(&[(status, vec![], body)]).await;
        let now = Timestamp(1_000);
        let written = table.live.claim(&claim(), now).await.unwrap_err();
        let claimed = table.keys.claim(&key_claim(), now).await.unwrap_err();
        let held = table.stream.hold("job", now).await.unwrap_err();
        for (error, what) in [
            (written, "updating table live"),
            (claimed, "updating table live"),
            (held, "updating the stream of table live"),
        ] {
            let LiveStoreError::Store { reason, kind: of } = error else {
                panic!("{error}");
            };
            let told = format!("{what}: {told}");
            assert!(reason.starts_with(&told), "{reason:?}, not {told:?}");
            assert_eq!(of, kind);
        }
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_is_not_taken_for_none() {
    for item in [
        r#"{"Item":{"holdOwner":{"N":"1"},"holdSince":{"N":"1"}}}"#,
        r#"{"Item":{"holdOwner":{"S":"job"}}}"#,
        r#"{"Item":{"holdOwner":{"M":{}},"holdSince":{"N":"1"}}}"#,
        r#"{"Item":{"generation":{"N":"x"}}}"#,
        r#"{"Item":{"order":{"S":"sideways"}}}"#,
    ] {
        let table = Table::answering(item).await;
        let error = table.stream.read().await.unwrap_err().to_string();
        assert_eq!(error, "live table: the stream of table live cannot be read");
    }
}
