//! Queues by themselves.

use super::{expect, target};
use crate::resources::{Queue, Resource};
use crate::stack::Stack;

/// The longest that SQS keeps a message, seconds.
const TWO_WEEKS: u32 = 1_209_600;

/// What is left, at the least, of a message's life that moved to the queue for failures: seconds.
const SPARE: u32 = 2 * 86_400;

/// A message that moves to a standard queue keeps its age: where both keep it for the same time, what was tried for
/// long is gone at once. In a FIFO queue it begins anew.
/// Source: Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS".
pub(super) fn dead_letters(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, queue) in stack.queues() {
        let Some(redrive) = &queue.redrive_policy else {
            continue;
        };
        let Some(last) = target(&redrive.dead_letter_target_arn).and_then(|id| stack.queue(id))
        else {
            continue;
        };
        let life = |queue: &Queue| queue.message_retention_period.unwrap_or_default();
        if !last.fifo_queue && life(last) < life(queue) + SPARE {
            found.push(format!("dead letters of {id} may be gone when they arrive"));
        }
        let allow = &last.redrive_allow_policy;
        let own = format!(
            "arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{}",
            queue.queue_name
        );
        if allow.redrive_permission != "byQueue" || allow.source_queue_arns != [own] {
            found.push(format!(
                "others than {id} may send their dead letters there"
            ));
        }
    }
    // What reseed believes of the buffer.
    let buffer = stack.queue("BufferQueue");
    let life = buffer.and_then(|queue| queue.message_retention_period);
    if let Some(Resource::Function(reseed)) = stack.resources.get("Reseed") {
        let told = reseed.environment.variables.get("BUFFER_RETENTION");
        let told = told.map(String::as_str).unwrap_or_default();
        let life = life.unwrap_or_default().to_string();
        found.extend(expect("Reseed BUFFER_RETENTION", told, life.as_str()));
    }
    found
}

pub(super) fn kept(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, queue) in stack.queues() {
        if queue.sqs_managed_sse_enabled == queue.kms_master_key_id.is_some() {
            found.push(format!(
                "{id} encryption must be SQS's own or a key's, one of them"
            ));
        }
        let retention = queue.message_retention_period.unwrap_or_default();
        let days = if id == "BufferQueue" {
            TWO_WEEKS - SPARE
        } else {
            TWO_WEEKS
        };
        found.extend(expect(&format!("{id} retention"), retention, days));
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
