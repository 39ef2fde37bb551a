//! Changes of a bucket that is not the function's.

use super::*;

/// Every way in which a bucket reports a change, each of bucket `ledger`.
fn of_every_way() -> [Value; 5] {
    let names = [
        "put",
        "permanent-delete",
        "eventbridge-created",
        "sns-to-lambda",
        "test-event",
    ];
    names.map(fixture)
}

#[tokio::test(start_paused = true)]
async fn another_buckets_changes_are_refused_by_name_whichever_way_they_come() {
    for input in of_every_way() {
        let queue = Queued::default();
        let bucket = bucket_of(&input);
        let taken = handle_of(&bucket, &queue, "", input.clone()).await;
        assert!(taken.is_ok(), "{bucket}: {taken:?}");
        let queue = Queued::default();
        // The filter must not hide it.
        let error = handle_of("mine", &queue, "no/key/is/so", input)
            .await
            .unwrap_err();
        for part in [
            &format!("bucket \"{bucket}\""),
            "bucket mine",
            "BUCKET_NAME",
        ] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        assert!(queue.bodies.lock().unwrap().is_empty());
    }
}

/// The bucket that a document names, however deep.
fn bucket_of(input: &Value) -> String {
    let document = notification::parse_document(input).unwrap();
    let of_event = document.events.first().map(|event| event.bucket.clone());
    of_event.unwrap_or_else(|| document.skipped[0].bucket.clone())
}

#[tokio::test(start_paused = true)]
async fn another_buckets_message_fails_and_holds_up_no_other_of_its_batch() {
    let record = |number: u32, bucket: &str| {
        let notification = json!({ "Records": [{
            "eventVersion": "2.1", "eventName": "ObjectCreated:Put",
            "eventTime": "2024-05-01T12:00:00.000Z",
            "s3": { "bucket": { "name": bucket }, "object": { "key": number.to_string() } },
        }]});
        json!({ "messageId": number.to_string(), "eventSource": "aws:sqs", "body": notification.to_string() })
    };
    let records = json!({ "Records": [
        record(1, "my-stack-bucket-1a"), record(2, "elsewhere"), record(3, "my-stack-bucket-1a"),
    ]});
    let queue = Queued::default();
    let answer = handle_of("My-Stack-bucket-*", &queue, "", records)
        .await
        .unwrap();
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] });
    assert_eq!(answer, failed);
    assert_eq!(queue.bodies.lock().unwrap().len(), 2);
}
