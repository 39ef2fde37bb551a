//! The rules. Each tells what is wrong with a stack; an empty answer is a good one.

mod alarms;
mod conditions;
mod follow;
mod functions;
mod ingestion;
pub(crate) mod kept;
mod live;
mod names;
mod permissions;
mod queues;
mod storage;
mod told;

use std::fmt::Display;

use crate::stack::Stack;

/// A rule with its name.
pub type Rule = (&'static str, fn(&Stack) -> Vec<String>);

/// All rules.
pub const RULES: [Rule; 27] = [
    (
        "buckets are versioned, encrypted and private",
        storage::buckets,
    ),
    (
        "tables are on demand, encrypted, and forget",
        storage::tables,
    ),
    (
        "the checkpoint table recovers, and tells jobs by phase",
        storage::checkpoints,
    ),
    (
        "a key of one's own encrypts everything, or nothing",
        storage::one_key,
    ),
    (
        "who had another key reads on what it encrypted",
        storage::former_key,
    ),
    (
        "what holds data outlives the stack, and nothing else does",
        kept::data,
    ),
    (
        "changes are told once there is somebody to tell",
        kept::order,
    ),
    ("names fit, and are no other stack's", names::fit),
    ("a queue has a policy of its own", permissions::one_document),
    (
        "the key is used by services of the partition",
        permissions::via_service,
    ),
    (
        "buckets and queues refuse what comes without TLS",
        permissions::tls_only,
    ),
    (
        "no permission is wider than a resource",
        permissions::least_privilege,
    ),
    (
        "each condition is one that AWS looks at, with the values it must have",
        conditions::conditions,
    ),
    ("a boundary is one of all roles", permissions::boundary),
    (
        "services are let in for this account's resources only",
        permissions::services,
    ),
    (
        "queues are encrypted and keep messages for two weeks",
        queues::kept,
    ),
    (
        "dead letters live longer, and only their own queue sends them",
        queues::dead_letters,
    ),
    (
        "the FIFO queue is fast and has a FIFO dead-letter queue",
        queues::fifo,
    ),
    (
        "functions run on al2023, log with an end, and lose no event",
        functions::functions,
    ),
    (
        "functions find what the stack made or was given",
        functions::environment,
    ),
    (
        "reseed may chain and is swept every minute",
        functions::reseed,
    ),
    (
        "realtime hears of every kind of change",
        ingestion::notifications,
    ),
    (
        "a buffer waits for the function and has a dead-letter queue",
        ingestion::buffer,
    ),
    (
        "a live order has a table that realtime may update, and no other order has one",
        live::order,
    ),
    (
        "reseed may hold live changes back where a buffer keeps them, and knows for how long",
        follow::hold,
    ),
    (
        "what happens to a job is told, and nothing else invokes for it",
        told::jobs,
    ),
    ("what needs a person has an alarm", alarms::alarms),
];

/// What all rules find.
#[must_use]
pub fn check(stack: &Stack) -> Vec<String> {
    RULES.iter().flat_map(|(_, rule)| rule(stack)).collect()
}

/// A finding when `found` is not `expected`.
fn expect<T: Display + PartialEq>(what: &str, found: T, expected: T) -> Option<String> {
    (found != expected).then(|| format!("{what} is {found}, must be {expected}"))
}

/// The logical id in `${Queue}` or `${Queue.Arn}`; none for a plain text.
pub(crate) fn target(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let id = inner.split('.').next()?;
    (!id.starts_with("AWS::")).then_some(id)
}
