//! Of the queues.

use super::*;

#[test]
fn each_queues_attributes_are_looked_at() {
    use Level::{Warning, Wrong};
    type Queue = fn(&mut Facts) -> &mut Answer;
    let (queue, buffer): (Queue, Queue) = (|f| &mut f.queue, |f| &mut f.buffer);
    let failures: Queue = |f| &mut f.on_failure;
    let dead: Queue = |f| f.dead_letters.as_mut().unwrap();
    for (check, level, of, name, value) in [
        ("entrance", Wrong, buffer, "Policy", "{}"),
        ("buffer-dead-letters", Wrong, buffer, "RedrivePolicy", ""),
        (
            "buffer-dead-letters",
            Warning,
            buffer,
            "MessageRetentionPeriod",
            "1209600",
        ),
        (
            "buffer-visibility",
            Wrong,
            buffer,
            "VisibilityTimeout",
            "60",
        ),
        (
            "buffer-visibility",
            Warning,
            buffer,
            "VisibilityTimeout",
            "360",
        ),
        (
            "queue-throughput",
            Warning,
            queue,
            "DeduplicationScope",
            "queue",
        ),
        ("queue-dead-letters", Wrong, queue, "RedrivePolicy", ""),
        (
            "queue-retention",
            Warning,
            queue,
            "MessageRetentionPeriod",
            "3600",
        ),
        (
            "queue-visibility",
            Warning,
            queue,
            "VisibilityTimeout",
            "30",
        ),
        (
            "on-failure",
            Warning,
            failures,
            "ApproximateNumberOfMessages",
            "2",
        ),
        (
            "dead-letters",
            Warning,
            dead,
            "ApproximateNumberOfMessages",
            "2",
        ),
    ] {
        finds(check, level, |facts| set(of(facts), name, value));
    }
}

#[test]
fn what_a_queue_does_not_tell_is_not_taken_for_0() {
    use Level::Unchecked;
    type Queue = fn(&mut Facts) -> &mut Answer;
    let (queue, buffer): (Queue, Queue) = (|f| &mut f.queue, |f| &mut f.buffer);
    let failures: Queue = |f| &mut f.on_failure;
    let dead: Queue = |f| f.dead_letters.as_mut().unwrap();
    for (check, of, name) in [
        ("queue-retention", queue, "MessageRetentionPeriod"),
        ("queue-visibility", queue, "VisibilityTimeout"),
        ("buffer-visibility", buffer, "VisibilityTimeout"),
        ("buffer-dead-letters", buffer, "MessageRetentionPeriod"),
        ("buffer-dead-letters", failures, "MessageRetentionPeriod"),
        ("on-failure", failures, "ApproximateNumberOfMessages"),
        ("dead-letters", dead, "ApproximateNumberOfMessages"),
    ] {
        finds(check, Unchecked, |facts| {
            of(facts).as_mut().unwrap().remove(name);
        });
    }
    let mut facts = well();
    parameter(&mut facts, "Ingestion", "direct");
    let of_buffer = ("buffer", Unchecked);
    assert!(!found(&facts).contains(&of_buffer));
    let buffer = facts.buffer.as_mut().unwrap();
    buffer.remove("ApproximateNumberOfMessages");
    assert!(found(&facts).contains(&of_buffer));
}

#[test]
fn the_kind_of_the_queue_must_fit_what_is_asked_of_it() {
    for (url, order, live, is_well) in [
        ("https://sqs.x/1/q.fifo", "key", "exact", true),
        ("https://sqs.x/1/q.fifo", "none", "notified", false),
        ("https://sqs.x/1/q.fifo", "bucket", "exact", false),
        ("https://sqs.x/1/q", "", "notified", true),
        ("https://sqs.x/1/q", "none", "notified", true),
        ("https://sqs.x/1/q", "key", "notified", false),
        ("https://sqs.x/1/q", "", "newest", false),
    ] {
        let mut facts = well();
        parameter(&mut facts, "Order", order);
        parameter(&mut facts, "LiveOrder", live);
        facts
            .stack
            .outputs
            .insert("QueueUrl".to_owned(), url.to_owned());
        let kind = if url.ends_with("fifo") { "true" } else { "" };
        set(&mut facts.queue, "FifoQueue", kind);
        let is_wrong = found(&facts).contains(&("queue", Level::Wrong));
        assert_eq!(is_wrong, !is_well, "{url} {order} {live}");
    }
}
