//! Queues by themselves.

use super::{expect, target};
use crate::stack::Stack;

/// The longest that SQS keeps a message, seconds.
const TWO_WEEKS: u32 = 1_209_600;

pub(super) fn kept(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, queue) in stack.queues() {
        if queue.sqs_managed_sse_enabled == queue.kms_master_key_id.is_some() {
            found.push(format!(
                "{id} encryption must be SQS's own or a key's, one of them"
            ));
        }
        let retention = queue.message_retention_period.unwrap_or_default();
        found.extend(expect(&format!("{id} retention"), retention, TWO_WEEKS));
    }
    found
}

pub(super) fn fifo(stack: &Stack) -> Vec<String> {
    let Some(queue) = stack.queue("Queue") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    found.extend(expect("Queue FifoQueue", queue.fifo_queue, true));
    let limit = queue.fifo_throughput_limit.as_str();
    found.extend(expect(
        "Queue FifoThroughputLimit",
        limit,
        "perMessageGroupId",
    ));
    let scope = queue.deduplication_scope.as_str();
    found.extend(expect("Queue DeduplicationScope", scope, "messageGroup"));
    let redrive = queue.redrive_policy.as_ref();
    let dead_letters = redrive.and_then(|r| target(&r.dead_letter_target_arn));
    match dead_letters.and_then(|id| stack.queue(id)) {
        Some(queue) => {
            let fifo = queue.fifo_queue;
            found.extend(expect("the dead-letter queue's FifoQueue", fifo, true));
        }
        None => found.push("Queue has no dead-letter queue".to_owned()),
    }
    found
}
