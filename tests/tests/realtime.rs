//! The realtime path on the deployed template.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_s3::types::{
    BucketVersioningStatus, CreateBucketConfiguration, EventBridgeConfiguration,
    NotificationConfiguration, VersioningConfiguration,
};
use bridge_aws::sdk;
use bridge_aws::watched::S3Watched;
use bridge_core::watched::{KeyFilter, check_notifications, check_versioning};
use e2e::{BROKEN_STACK, Received, STACK, Stack, aws};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_mins(2);

/// What identifies a change on both paths.
fn facts(event: &Received) -> (String, String, String, String) {
    let text = |field| event.text(field).to_owned();
    (
        text("eventId"),
        text("key"),
        text("versionId"),
        text("bucket"),
    )
}

#[tokio::test]
async fn realtime_and_reseed_tell_of_the_same_changes_with_the_same_ids() {
    let stack = Stack::connect(STACK).await.unwrap();
    let keys = [
        "same/1.json",
        "same/red flower+50%.jpg",
        "same/ünï/日本 & <tag>.txt",
        "same/quote\"'%2F?#.txt",
    ];
    let mut expected = HashSet::new();
    for key in keys {
        for step in 0..2 {
            expected.insert((
                key.to_owned(),
                stack.put(key, &format!("{step}")).await.unwrap(),
            ));
        }
    }
    expected.insert((keys[0].to_owned(), stack.delete(keys[0]).await.unwrap()));
    expected.insert((
        keys[0].to_owned(),
        stack.put(keys[0], "again").await.unwrap(),
    ));

    let ours = |m: &Received| m.text("key").starts_with("same/");
    let queue = stack.output("QueueUrl");
    let realtime = stack
        .receive(queue, expected.len(), TIMEOUT, ours)
        .await
        .unwrap();
    let other = stack.create_queue("same-changes").await.unwrap();
    let start = json!({ "action": "start", "prefix": "same/", "queueUrl": other });
    stack.reseed(start).await.unwrap();
    let reseed = stack
        .receive(&other, expected.len(), TIMEOUT, ours)
        .await
        .unwrap();

    let changes = |events: &[Received]| -> HashSet<_> { events.iter().map(facts).collect() };
    assert_eq!(changes(&realtime), changes(&reseed));
    let told: HashSet<_> = realtime.iter().map(|e| (facts(e).1, facts(e).2)).collect();
    assert_eq!(told, expected);
    for event in &realtime {
        assert_eq!(event.attributes["source"], "realtime");
        assert!(event.body.get("jobId").is_none() && event.body.get("sequence").is_none());
        let twin = reseed.iter().find(|e| facts(e) == facts(event)).unwrap();
        assert_eq!(twin.attributes["source"], "reseed");
        assert_eq!(twin.attributes["jobId"], twin.text("jobId"));
        assert_eq!(event.body.get("size"), twin.body.get("size"));
        assert_eq!(event.body.get("eTag"), twin.body.get("eTag"));
        assert_eq!(event.group, twin.group, "one key, one group");
    }
}

#[tokio::test]
async fn input_that_is_no_notification_ends_in_the_on_failure_queue() {
    let stack = Stack::connect(STACK).await.unwrap();
    let input = json!({ "marker": "no-notification" });
    let error = stack
        .invoke("RealtimeFunction", &input)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error["errorType"], "NotANotification");
    let text = error["errorMessage"].as_str().unwrap();
    assert!(text.contains("an object with marker"), "{text}");

    stack
        .invoke_later("RealtimeFunction", &input)
        .await
        .unwrap();
    let queue = stack.output("OnFailureQueueUrl");
    let ours = |m: &Received| m.body["requestPayload"]["marker"] == "no-notification";
    let failures = stack.receive(queue, 1, TIMEOUT, ours).await.unwrap();
    assert_eq!(failures.len(), 1, "the event was lost");
    assert_eq!(
        failures[0].body["requestContext"]["approximateInvokeCount"],
        3
    );
}

#[tokio::test]
async fn an_sqs_batch_is_answered_message_by_message() {
    let stack = Stack::connect(STACK).await.unwrap();
    let of = |bucket: &str| {
        json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
            "eventTime": "2024-05-01T12:00:00.000Z", "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": { "name": bucket },
                "object": { "key": "batch/1", "versionId": "v1", "size": 1, "eTag": "e" },
            },
        }]})
    };
    let record =
        |id: &str, body: String| json!({ "messageId": id, "body": body, "eventSource": "aws:sqs" });
    let input = json!({ "Records": [
        record("good", of(stack.output("BucketName")).to_string()),
        record("bad", "not json".to_owned()),
        record("other", of("elsewhere").to_string()),
    ]});
    let answer = stack
        .invoke("RealtimeFunction", &input)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [
            { "itemIdentifier": "bad" },
            { "itemIdentifier": "other" },
        ]})
    );
}

/// Uses up the stack: its queue is gone afterwards, and its functions are misconfigured.
#[tokio::test]
async fn what_cannot_be_delivered_is_kept_and_can_be_sent_again() {
    let stack = Stack::connect(BROKEN_STACK).await.unwrap();
    let queue = stack.output("QueueUrl");

    // While it works, it writes native notification documents.
    stack.put("native/a b.txt", "1").await.unwrap();
    let native = |m: &Received| m.body["Records"].is_array();
    let before = stack.receive(queue, 1, TIMEOUT, native).await.unwrap();
    assert_eq!(
        before[0].body["Records"][0]["s3"]["object"]["key"],
        "native/a+b.txt"
    );
    assert_eq!(before[0].body["Records"][0]["eventSource"], "aws:s3");

    // Without its queue, a notification ends in the OnFailure queue, whole.
    stack.delete_queue(queue).await.unwrap();
    let version = stack.put("lost/1.txt", "1").await.unwrap();
    let failure_queue = stack.output("OnFailureQueueUrl");
    let kept = |m: &Received| m.body["requestPayload"]["Records"].is_array();
    let failures = stack
        .receive(failure_queue, 1, TIMEOUT, kept)
        .await
        .unwrap();
    assert_eq!(failures.len(), 1, "the notification was lost");
    let payload = &failures[0].body["requestPayload"];
    assert_eq!(payload["Records"][0]["s3"]["object"]["versionId"], version);

    // With the queue back, the kept payload is all that is needed.
    stack.create_queue("e2e-broken-events").await.unwrap();
    let answer = stack
        .invoke("RealtimeFunction", payload)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer["forwarded"], 1);
    let after = stack.receive(queue, 1, TIMEOUT, native).await.unwrap();
    assert_eq!(
        after[0].body["Records"][0]["s3"]["object"]["versionId"],
        version
    );

    // A bad configuration is told to whoever invokes.
    for (output, variable, value, parts) in [
        (
            "RealtimeFunction",
            "MESSAGE_FORMAT",
            "xml",
            ["MESSAGE_FORMAT", "\"xml\"", "bridge or s3"],
        ),
        (
            "ReseedFunction",
            "ORDER",
            "time",
            ["ORDER", "\"time\"", "key, bucket or none"],
        ),
    ] {
        stack.set_variable(output, variable, value).await.unwrap();
        let health = json!({ "action": "health" });
        let error = stack.invoke(output, &health).await.unwrap().unwrap_err();
        assert_eq!(error["errorType"], "BadConfiguration");
        let text = error["errorMessage"].as_str().unwrap();
        for part in parts {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}

#[tokio::test]
async fn health_checks_tell_what_answers() {
    let stack = Stack::connect(STACK).await.unwrap();
    for function in ["RealtimeFunction", "ReseedFunction"] {
        let health = json!({ "action": "health" });
        let answer = stack.invoke(function, &health).await.unwrap().unwrap();
        assert_eq!(answer["status"], "ok", "{function}: {answer}");
        if function == "ReseedFunction" {
            let bucket = &answer["bucket"];
            assert_eq!(
                (&bucket["versioning"], &bucket["notifications"]),
                (&json!("ok"), &json!("ok"))
            );
        } else {
            let bucket = answer["bucket"].as_str().unwrap();
            assert!(bucket.starts_with("not checked"), "{bucket}");
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_versioned_or_tells_nobody_is_not_ok() {
    let s3 = sdk::s3(&aws::load().await);
    let name = "a-bucket-of-ones-own";
    let place = CreateBucketConfiguration::builder()
        .location_constraint("eu-west-1".into())
        .build();
    let create = s3.create_bucket().bucket(name);
    create
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
    let watched = S3Watched::new(s3.clone(), name.to_owned());
    let found = || async {
        [
            check_versioning(&watched).await.to_string(),
            check_notifications(&watched, "eventbridge", &KeyFilter::default())
                .await
                .to_string(),
        ]
    };
    let [versioning, notifications] = found().await;
    assert!(versioning.contains("is not versioned"), "{versioning}");
    assert!(
        notifications.contains("sends nothing to EventBridge"),
        "{notifications}"
    );

    for status in [
        BucketVersioningStatus::Enabled,
        BucketVersioningStatus::Suspended,
    ] {
        let versioning = VersioningConfiguration::builder()
            .status(status.clone())
            .build();
        let put = s3.put_bucket_versioning().bucket(name);
        put.versioning_configuration(versioning)
            .send()
            .await
            .unwrap();
        let told = check_versioning(&watched).await.to_string();
        assert_eq!(
            told == "ok",
            status == BucketVersioningStatus::Enabled,
            "{told}"
        );
    }
    let bus = EventBridgeConfiguration::builder().build();
    let notifications = NotificationConfiguration::builder()
        .event_bridge_configuration(bus)
        .build();
    let put = s3.put_bucket_notification_configuration().bucket(name);
    put.notification_configuration(notifications)
        .send()
        .await
        .unwrap();
    assert_eq!(found().await[1], "ok");

    let nowhere = S3Watched::new(s3, "no-such-bucket-anywhere".to_owned());
    let told = check_versioning(&nowhere).await.to_string();
    assert!(told.contains("NoSuchBucket"), "{told}");
}
