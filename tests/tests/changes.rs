//! A stack that changes its mind tells of everything that was written before, meanwhile and afterwards; and one that is
//! deleted leaves what holds data, or nothing (docs/CHANGING.md, docs/OPERATIONS.md).

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::types::{
    BucketVersioningStatus, CreateBucketConfiguration, EventBridgeConfiguration,
    NotificationConfiguration, VersioningConfiguration,
};
use e2e::{STACK, Stack, aws};
use serde_json::json;

/// Against hanging. The emulator kills a function that is changed: what it had of a buffer comes again after
/// the buffer's visibility timeout, six minutes.
const TIMEOUT: Duration = Duration::from_mins(15);

/// Parameters of one deployment.
type Parameters<'a> = &'a [(&'a str, &'a str)];

const KEY: (&str, &str) = ("KmsKeyArn", "arn:aws:kms:eu-west-1:000000000000:key/1");

/// Writes objects until it is told to stop; their keys.
async fn write(stack: &Stack, prefix: &str, stop: &AtomicBool) -> Vec<String> {
    let mut written = Vec::new();
    // A few more once the change is over.
    let mut left = 5;
    while left > 0 {
        if stop.load(Ordering::Relaxed) {
            left -= 1;
        }
        let key = format!("{prefix}/{}", written.len());
        stack.put(&key, "1").await.unwrap();
        written.push(key);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    written
}

/// Changes the stack while objects are written to its bucket; the stack, and what was written.
async fn change(stack: Stack, name: &str, to: Parameters<'_>) -> (Stack, Vec<String>) {
    let writer = Box::pin(Stack::connect(&stack.name)).await.unwrap();
    let stop = AtomicBool::new(false);
    let changing = Box::pin(async {
        // Something is on its way when it begins.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let changed = stack.change(to).await;
        stop.store(true, Ordering::Relaxed);
        changed.unwrap_or_else(|error| panic!("{name}: {error:#}"))
    });
    tokio::join!(changing, Box::pin(write(&writer, name, &stop)))
}

/// Reads a queue, and redrives what waits beside it, until all of `keys` were told of.
async fn all_told(stack: &Stack, queue: &str, keys: &[String], told: &mut BTreeSet<String>) {
    let begin = Instant::now();
    let function = stack.output("RealtimeFunction");
    loop {
        let events = stack.receive(queue, keys.len(), Duration::from_secs(5), |_| true);
        for event in events.await.unwrap() {
            told.insert(event.text("key").to_owned());
        }
        let missing: Vec<_> = keys.iter().filter(|key| !told.contains(*key)).collect();
        if missing.is_empty() {
            return;
        }
        assert!(begin.elapsed() < TIMEOUT, "never told: {missing:?}");
        // As the page says: what the former choice left, and what failed meanwhile.
        for output in ["BufferQueueUrl", "OnFailureQueueUrl"] {
            let from = stack.output(output);
            let _ = stack.command_line(&["redrive", "--from", from, "--invoke", function]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_around_a_change_is_told() {
    let mut stack = Stack::create("changing", &[]).await.unwrap();
    let mut told = BTreeSet::new();
    let steps: [(&str, Parameters<'_>); 5] = [
        ("buffered", &[("Ingestion", "buffered")]),
        (
            "newest",
            &[("Ingestion", "buffered"), ("LiveOrder", "newest")],
        ),
        ("direct", &[]),
        ("encrypted", &[KEY]),
        ("plain", &[("FormerKmsKeyArn", KEY.1), ("MaxReceives", "9")]),
    ];
    let mut all = Vec::new();
    for (name, to) in steps {
        let (changed, written) = change(stack, name, to).await;
        stack = changed;
        assert!(written.len() > 10, "{name}: {written:?}");
        all.extend(written);
    }
    let queue = stack.output("QueueUrl").to_owned();
    all_told(&stack, &queue, &all, &mut told).await;

    // Another queue: what went to the former one is still there.
    let former = stack.output("QueueUrl").to_owned();
    let other = stack.create_queue("changing-other").await.unwrap();
    let arn = "arn:aws:sqs:eu-west-1:000000000000:changing-other.fifo";
    let (stack, written) = change(stack, "other", &[("ExistingQueueArn", arn)]).await;
    let mut in_former = BTreeSet::new();
    let left = stack.receive(&former, written.len(), Duration::from_secs(10), |_| true);
    for event in left.await.unwrap() {
        in_former.insert(event.text("key").to_owned());
    }
    assert!(!in_former.is_empty(), "nothing was told before the change");
    let later = written.iter().filter(|key| !in_former.contains(*key));
    let later: Vec<_> = later.cloned().collect();
    // The template writes AWS's own address, the emulator its own.
    assert!(stack.output("QueueUrl").ends_with("/changing-other.fifo"));
    all_told(&stack, &other, &later, &mut told).await;
    stack.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_a_bucket_of_ones_own_around_a_change_is_told() {
    let first = Stack::connect(STACK).await.unwrap();
    let bucket = "changing-ledger";
    make_bucket(&first.s3, bucket).await;
    let existing = ("ExistingBucket", bucket);
    let stack = Stack::create("changing-watch", &[existing]).await.unwrap();
    let mut told = BTreeSet::new();
    let (stack, written) = change(stack, "buffered", &[existing, ("Ingestion", "buffered")]).await;
    let queue = stack.output("QueueUrl").to_owned();
    all_told(&stack, &queue, &written, &mut told).await;
    let (stack, written) = change(stack, "direct", &[existing, ("KeyPrefix", "direct/")]).await;
    all_told(&stack, &queue, &written, &mut told).await;
    // Realtime does not hear of the rest any more.
    stack.put("buffered/more", "1").await.unwrap();
    stack.put("direct/more", "1").await.unwrap();
    all_told(&stack, &queue, &["direct/more".to_owned()], &mut told).await;
    assert!(!told.contains("buffered/more"));
    stack.remove().await.unwrap();
}

async fn make_bucket(s3: &aws_sdk_s3::Client, name: &str) {
    let place = CreateBucketConfiguration::builder().location_constraint("eu-west-1".into());
    let create = s3.create_bucket().bucket(name);
    let create = create.create_bucket_configuration(place.build());
    create.send().await.unwrap();
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let put = s3.put_bucket_versioning().bucket(name);
    let put = put.versioning_configuration(versioned.build());
    put.send().await.unwrap();
    let to_bus = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build());
    let put = s3.put_bucket_notification_configuration().bucket(name);
    let put = put.notification_configuration(to_bus.build());
    put.send().await.unwrap();
}

/// A stack that has done a job, which left a plan, an item and an event.
async fn used(name: &str) -> Stack {
    let protected = [("DeletionProtection", "true")];
    let stack = Stack::create(name, &protected).await.unwrap();
    stack.put("a", "1").await.unwrap();
    let job = stack.reseed(json!({})).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    stack.wait_for(job, "done", TIMEOUT).await.unwrap();
    stack
}

async fn gone(name: &str) {
    let begin = Instant::now();
    let cloudformation = aws_sdk_cloudformation::Client::new(&aws::load().await);
    loop {
        let asked = cloudformation.describe_stacks().stack_name(name);
        let Ok(answer) = asked.send().await else {
            return;
        };
        let status = answer.stacks().first().and_then(|s| s.stack_status());
        let status = status.map_or("", |s| s.as_str()).to_owned();
        if ["", "DELETE_COMPLETE"].contains(&status.as_str()) {
            return;
        }
        assert_ne!(status, "DELETE_FAILED");
        assert!(begin.elapsed() < TIMEOUT, "{status}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_deleted_stack_leaves_what_holds_data() {
    let stack = used("deleted").await;
    let (s3, sqs) = (stack.s3.clone(), stack.sqs.clone());
    let output = |name: &str| stack.output(name).to_owned();
    let (queue, plans) = (output("QueueUrl"), output("PlanBucketName"));
    let (bucket, table) = (output("BucketName"), output("CheckpointTableName"));
    stack.remove().await.unwrap();
    gone("deleted").await;
    let received = sqs.receive_message().queue_url(&queue).wait_time_seconds(2);
    assert!(!received.send().await.unwrap().messages().is_empty());
    for bucket in [&plans, &bucket] {
        let listed = s3.list_object_versions().bucket(bucket).send().await;
        assert!(!listed.unwrap().versions().is_empty(), "{bucket}");
        let policy = s3.get_bucket_policy().bucket(bucket).send().await.unwrap();
        assert!(policy.policy().unwrap().contains("SecureTransport"));
    }
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws::load().await);
    let described = dynamodb.describe_table().table_name(&table).send().await;
    let described = described.unwrap().table.unwrap();
    assert_eq!(described.deletion_protection_enabled(), Some(true));
}

/// No queue may be called so: the last resource fails.
const BROKEN: &str = "  Broken:
    Type: AWS::SQS::Queue
    DependsOn: [Bucket, PlanBucket, CheckpointTable, Queue, BufferQueue, OnFailureQueue, ReseedLogs]
    Properties:
      QueueName: no-fifo
      FifoQueue: true
";

#[tokio::test]
async fn a_deployment_that_fails_leaves_nothing_behind() {
    let failed = Stack::create_with("failing", &[], BROKEN).await;
    let told = failed.err().expect("it was deployed").to_string();
    assert!(told.contains("RollbackComplete"), "{told}");
    let stack = Stack::connect(STACK).await.unwrap();
    let queues = stack.sqs.list_queues().queue_name_prefix("failing-");
    let queues = queues.send().await.unwrap();
    assert!(queues.queue_urls().is_empty(), "{:?}", queues.queue_urls());
    let buckets = stack.s3.list_buckets().send().await.unwrap();
    let mut buckets = buckets.buckets().iter().filter_map(|bucket| bucket.name());
    assert_eq!(buckets.find(|name| name.starts_with("failing-")), None);
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws::load().await);
    let tables = dynamodb.list_tables().send().await.unwrap();
    let mut tables = tables.table_names().iter();
    assert_eq!(tables.find(|name| name.starts_with("failing-")), None);
}

#[tokio::test]
async fn the_documented_way_leaves_the_bucket_only() {
    let stack = used("removed").await;
    let (s3, sqs) = (stack.s3.clone(), stack.sqs.clone());
    let output = |name: &str| stack.output(name).to_owned();
    let (plans, bucket) = (output("PlanBucketName"), output("BucketName"));
    let table = output("CheckpointTableName");
    let queues = [
        "QueueUrl",
        "DeadLetterQueueUrl",
        "BufferQueueUrl",
        "OnFailureQueueUrl",
    ];
    let queues = queues.map(output);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split_once("## Deleting a stack").unwrap().1;
    let written = section.split_once("```python\n").unwrap().1;
    let written = written.split_once("\n```").unwrap().0;
    let program = format!("{written}\n\nremove('removed')\n");
    let ran = Command::new("python3").args(["-c", &program]).output();
    let ran = ran.unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}");
    for queue in queues {
        assert!(
            sqs.receive_message()
                .queue_url(&queue)
                .send()
                .await
                .is_err(),
            "{queue}"
        );
    }
    assert!(s3.head_bucket().bucket(&plans).send().await.is_err());
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws::load().await);
    assert!(
        dynamodb
            .describe_table()
            .table_name(&table)
            .send()
            .await
            .is_err()
    );
    // The bucket is as it was, and tells nobody.
    let listed = s3.list_object_versions().bucket(&bucket).send().await;
    assert_eq!(listed.unwrap().versions().len(), 1);
    let asked = s3.get_bucket_notification_configuration().bucket(&bucket);
    let told = asked.send().await.unwrap();
    assert!(told.lambda_function_configurations().is_empty());
    assert!(told.queue_configurations().is_empty());
    gone("removed").await;
}
