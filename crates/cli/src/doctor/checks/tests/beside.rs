//! Of the schedule, the second queue and the keys.

use super::*;
use crate::doctor::facts::{Key, Replay};

const KEY: &str = "arn:aws:kms:x:1:key/1";
const OTHER: &str = "arn:aws:kms:x:1:key/2";

#[test]
fn the_schedule_must_be_on_and_sweep_each_minute() {
    use Level::{Unchecked, Warning, Wrong};
    type Change = fn(&mut Schedule);
    let changes: [(Level, Change); 4] = [
        (Wrong, |schedule| schedule.state = "DISABLED".into()),
        (Wrong, |schedule| schedule.target = "arn:other".into()),
        (Wrong, |schedule| schedule.input = "{}".into()),
        (Warning, |schedule| {
            schedule.expression = "rate(1 hour)".into();
        }),
    ];
    for (level, change) in changes {
        finds("schedule", level, |f| change(f.schedule.as_mut().unwrap()));
    }
    finds("schedule", Wrong, |f| f.schedule = Err(none(false)));
    finds("schedule", Unchecked, |f| f.schedule = Err(none(true)));
}

/// A stack that is well, with a second queue.
fn with_replay(facts: &mut Facts) -> &mut Replay {
    let redrive = r#"{"deadLetterTargetArn":"arn:dead-replays","maxReceiveCount":5}"#;
    facts.replay.insert(Replay {
        url: "https://sqs.x/1/replay.fifo".to_owned(),
        queue: Ok(named([
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("MessageRetentionPeriod", "345600"),
            ("VisibilityTimeout", "30"),
            ("RedrivePolicy", redrive),
        ])),
        health: Ok(json!({ "otherQueue": { "status": "ok", "send": "ok" } })),
    })
}

#[test]
fn the_second_queue_is_looked_at_like_the_first() {
    use Level::{Unchecked, Warning, Wrong};
    let mut facts = well();
    with_replay(&mut facts);
    assert_eq!(found(&facts), []);
    for (check, name, value) in [
        ("replay-queue-throughput", "FifoThroughputLimit", "perQueue"),
        ("replay-queue-dead-letters", "RedrivePolicy", ""),
        ("replay-queue-retention", "MessageRetentionPeriod", "3600"),
        ("replay-queue-visibility", "VisibilityTimeout", "0"),
    ] {
        finds(check, Warning, |f| {
            set(&mut with_replay(f).queue, name, value);
        });
    }
    for (is_refused, level) in [(false, Wrong), (true, Unchecked)] {
        finds("replay-queue", level, |f| {
            with_replay(f).queue = Err(none(is_refused));
        });
    }
    for (health, level) in [
        (
            Ok(json!({ "otherQueue": { "status": "ok", "send": "AccessDenied" } })),
            Wrong,
        ),
        (
            Ok(json!({ "otherQueue": { "status": "NoSuchQueue", "send": "ok" } })),
            Wrong,
        ),
        (Ok(json!({ "status": "ok" })), Unchecked),
        (failed("BadRequest", "unknown field `queueUrl`"), Unchecked),
    ] {
        let health = || match &health {
            Ok(told) => Ok(told.clone()),
            Err(_) => failed("BadRequest", "unknown field `queueUrl`"),
        };
        finds("replay-queue-sends", level, |f| {
            with_replay(f).health = health();
        });
    }
}

#[test]
fn a_standard_queue_for_replays_is_told_where_an_order_is_asked_for() {
    let standard = |f: &mut Facts| with_replay(f).url = "https://sqs.x/1/replay".to_owned();
    finds("replay-queue", Level::Warning, standard);
    finds("replay-queue", Level::Warning, |f| {
        standard(f);
        parameter(f, "Order", "bucket");
        let variables = &mut of(&mut f.realtime).variables;
        variables.insert("ORDER".to_owned(), "bucket".to_owned());
    });
    let mut facts = well();
    standard(&mut facts);
    let queue = "https://sqs.x/1/standard".to_owned();
    for variables in [&mut facts.realtime, &mut facts.reseed] {
        let variables = &mut of(variables).variables;
        variables.insert("QUEUE_URL".to_owned(), queue.clone());
    }
    facts.stack.outputs.insert("QueueUrl".to_owned(), queue);
    set(&mut facts.queue, "FifoQueue", "");
    assert_eq!(found(&facts), [], "neither keeps any order");
}

/// A policy that lets these use a key.
fn policy(principal: &Value) -> String {
    let statement =
        json!({ "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*" });
    let buffer = json!({ "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*" });
    json!({ "Statement": [statement, buffer] }).to_string()
}

fn account() -> Value {
    json!({ "AWS": "arn:aws:iam::1:root" })
}

fn key(facts: &mut Facts, arn: &str, policy: String) {
    let key = Key {
        arn: arn.to_owned(),
        state: "Enabled".to_owned(),
        policy: Ok(policy),
    };
    facts.keys.insert(arn.to_owned(), Ok(key));
}

/// The stack and its queues are encrypted with one key.
fn encrypted(facts: &mut Facts) -> &mut Key {
    parameter(facts, "KmsKeyArn", KEY);
    key(facts, KEY, policy(&account()));
    for queue in [&mut facts.queue, &mut facts.buffer, &mut facts.on_failure] {
        set(queue, "KmsMasterKeyId", KEY);
    }
    facts.keys.get_mut(KEY).unwrap().as_mut().unwrap()
}

#[test]
fn the_key_of_a_stack_must_be_on_and_let_who_sends_use_it() {
    use Level::{Unchecked, Wrong};
    let mut facts = well();
    encrypted(&mut facts);
    assert_eq!(found(&facts), []);
    for queue in [&mut facts.queue, &mut facts.buffer] {
        set(queue, "KmsMasterKeyId", "1"); // by its id
    }
    assert_eq!(found(&facts), []);
    for state in ["Disabled", "PendingDeletion"] {
        finds("key", Wrong, |f| encrypted(f).state = state.into());
    }
    let roles =
        json!({ "AWS": ["arn:aws:iam::1:role/s-realtime", "arn:aws:iam::1:role/s-reseed"] });
    let mut facts = well();
    encrypted(&mut facts).policy = Ok(policy(&roles));
    assert_eq!(found(&facts), []);
    for others in [
        json!({ "AWS": "arn:aws:iam::2:root" }),
        json!({ "AWS": "arn:aws:iam::1:role/s-realtime" }),
    ] {
        finds("key", Wrong, |f| encrypted(f).policy = Ok(policy(&others)));
    }
    finds("key", Wrong, |f| {
        let without = policy(&account()).replace("s3.amazonaws.com", "sns.amazonaws.com");
        encrypted(f).policy = Ok(without);
    });
    finds("key", Unchecked, |f| encrypted(f).policy = Err(none(true)));
    for (is_refused, level) in [(false, Wrong), (true, Unchecked)] {
        finds("key", level, |f| {
            encrypted(f);
            f.keys.insert(KEY.to_owned(), Err(none(is_refused)));
        });
    }
}

#[test]
fn a_queue_with_another_key_is_told_by_what_that_keys_policy_says() {
    use Level::{Ok, Unchecked, Warning, Wrong};
    let reseed = json!({ "AWS": "arn:aws:iam::1:role/s-reseed" });
    let stranger = json!({ "AWS": "arn:aws:iam::2:root" });
    for (principal, level) in [(&reseed, Ok), (&account(), Warning), (&stranger, Wrong)] {
        let change = |f: &mut Facts| {
            encrypted(f);
            key(f, OTHER, policy(principal));
            set(&mut with_replay(f).queue, "KmsMasterKeyId", OTHER);
        };
        if level == Ok {
            let mut facts = well();
            change(&mut facts);
            assert_eq!(found(&facts), []);
        } else {
            finds("replay-queue-key", level, change);
        }
    }
    finds("queue-key", Unchecked, |f| {
        encrypted(f);
        f.keys.insert(OTHER.to_owned(), Err(none(true)));
        set(&mut f.queue, "KmsMasterKeyId", OTHER);
    });
    finds("on-failure-key", Wrong, |f| {
        encrypted(f);
        key(f, OTHER, policy(&reseed));
        set(&mut f.on_failure, "KmsMasterKeyId", OTHER);
    });
    finds("queue-key", Wrong, |f| {
        key(f, OTHER, policy(&account()));
        let key = f.keys.get_mut(OTHER).unwrap();
        key.as_mut().unwrap().state = "PendingDeletion".to_owned();
        set(&mut f.queue, "KmsMasterKeyId", OTHER);
    });
}

#[test]
fn s3_cannot_send_to_a_buffer_with_awss_own_key() {
    let by_aws = |queue: &mut Answer| set(queue, "KmsMasterKeyId", "alias/aws/sqs");
    finds("buffer-key", Level::Wrong, |f| by_aws(&mut f.buffer));
    let mut facts = well();
    by_aws(&mut facts.queue);
    assert_eq!(found(&facts), []);
}
