//! What happens to jobs, as a rule of the event bus tells it to a queue.

use std::collections::VecDeque;
use std::time::Duration;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{Received, Stack, aws};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_mins(2);

/// A job of so many events takes some seconds at `maxRate`.
const EVENTS: usize = 40;

/// The queue of a rule.
struct Told {
    url: String,
    waiting: VecDeque<Received>,
}

impl Told {
    /// Makes a rule with a queue for the events of a pattern.
    async fn of(stack: &Stack, name: &str, pattern: &str) -> Self {
        let created = stack.sqs.create_queue().queue_name(name).send().await;
        let url = created.unwrap().queue_url().unwrap().to_owned();
        let asked = stack.sqs.get_queue_attributes().queue_url(&url);
        let asked = asked.attribute_names(QueueAttributeName::QueueArn);
        let attributes = asked.send().await.unwrap();
        let arn = &attributes.attributes().unwrap()[&QueueAttributeName::QueueArn];
        let events = aws_sdk_eventbridge::Client::new(&aws::load().await);
        let rule = events.put_rule().name(name).event_pattern(pattern);
        rule.send().await.unwrap();
        let target = Target::builder().id("queue").arn(arn).build().unwrap();
        let targets = events.put_targets().rule(name).targets(target);
        let answer = targets.send().await.unwrap();
        assert_eq!(answer.failed_entry_count(), 0);
        Self {
            url,
            waiting: VecDeque::new(),
        }
    }

    /// The next event, which must be called so.
    async fn next(&mut self, stack: &Stack, expected: &str) -> Value {
        if self.waiting.is_empty() {
            let received = stack.receive(&self.url, 1, TIMEOUT, |_| true).await;
            self.waiting.extend(received.unwrap());
        }
        let event = self.waiting.pop_front();
        let event = event
            .unwrap_or_else(|| panic!("{expected} was not told"))
            .body;
        assert_eq!(event["detail-type"], expected, "{event:#}");
        assert_eq!(event["source"], "s3-sqs-bridge");
        assert_eq!(event["resources"], json!([stack.output("BucketArn")]));
        event["detail"].clone()
    }

    /// Nothing else was told.
    async fn check_silent(&mut self, stack: &Stack) {
        let more = stack.receive(&self.url, 1, Duration::from_secs(3), |_| true);
        self.waiting.extend(more.await.unwrap());
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
    }
}

/// The pattern of docs/OPERATIONS.md, for the stack's bucket.
fn documented(stack: &Stack) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, pattern) = page.split_once("--event-pattern '").unwrap();
    let (pattern, _) = pattern.split_once('\'').unwrap();
    pattern.replace("BUCKET", stack.output("BucketName"))
}

async fn act(stack: &Stack, action: &str, job: &Value) -> Value {
    let asked = json!({ "action": action, "jobId": job["jobId"] });
    stack.reseed(asked).await.unwrap()
}

/// A status tells the hold besides, which is not of the job.
fn without_hold(mut status: Value) -> Value {
    status.as_object_mut().unwrap().remove("hold");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn each_turn_of_a_job_is_told_as_status_shows_it() {
    let parameters = [("LiveOrder", "newest"), ("Ingestion", "buffered")];
    let stack = Stack::create("job-events", &parameters).await.unwrap();
    for number in 0..EVENTS {
        let key = format!("told/{number}");
        stack.put(&key, "1").await.unwrap();
    }
    let all = json!({ "source": ["s3-sqs-bridge"], "resources": [stack.output("BucketArn")] });
    let mut told = Told::of(&stack, "job-events-all", &all.to_string()).await;
    let mut ends = Told::of(&stack, "job-events-ends", &documented(&stack)).await;

    // It is stopped and let go on; its queue goes, which ends it, and is there again.
    let queue = stack.output("QueueUrl");
    let start = json!({ "prefix": "told/", "maxRate": 2 });
    let started = stack.reseed(start).await.unwrap();
    assert_eq!(told.next(&stack, "Job started").await, started);
    act(&stack, "pause", &started).await;
    let id = started["jobId"].as_str().unwrap();
    let paused = stack.wait_for(id, "paused", TIMEOUT).await.unwrap();
    assert_eq!(told.next(&stack, "Job paused").await, paused);
    stack.delete_queue(queue).await.unwrap();
    let resumed = act(&stack, "resume", &started).await;
    assert_eq!(told.next(&stack, "Job resumed").await, resumed);
    let failed = stack.wait_for(id, "failed", TIMEOUT).await.unwrap();
    let detail = told.next(&stack, "Job failed").await;
    assert_eq!(detail, failed);
    assert!(detail["lastError"].is_string(), "{detail:#}");
    assert_eq!(ends.next(&stack, "Job failed").await, failed);
    stack.create_queue("job-events-events").await.unwrap();
    act(&stack, "resume", &started).await;
    told.next(&stack, "Job resumed").await;
    let done = stack.wait_for(id, "done", TIMEOUT).await.unwrap();
    assert_eq!(told.next(&stack, "Job done").await, done);
    assert_eq!(ends.next(&stack, "Job done").await, done);

    // Live is held back, and let go on by a cancel.
    let start = json!({ "then": "live" });
    let started = stack.reseed(start).await.unwrap();
    assert_eq!(told.next(&stack, "Job started").await, started);
    let held = told.next(&stack, "Job held").await;
    assert_eq!(held["handover"]["step"], "waiting");
    assert!(held["handover"]["heldSince"].is_string(), "{held:#}");
    act(&stack, "cancel", &started).await;
    let id = started["jobId"].as_str().unwrap();
    let cancelled = stack.wait_for(id, "cancelled", TIMEOUT).await.unwrap();
    let detail = told.next(&stack, "Job cancelled").await;
    assert_eq!(detail, without_hold(cancelled));
    assert_eq!(detail["handover"]["step"], "released");

    // Whether events may be put is asked without telling anybody, nor is anything told of heartbeats and segments.
    let health = json!({ "action": "health" });
    let health = stack.reseed(health).await.unwrap();
    let expected = json!({ "bus": "default", "status": "ok" });
    assert_eq!(health["events"], expected);
    told.check_silent(&stack).await;
    ends.check_silent(&stack).await;
}
