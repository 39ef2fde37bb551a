//! What `serve` needs, and what it says where it runs. Its settings are right, or it would not have come to this.

use bridge_core::watched;
use serde_json::Value;

use crate::doctor::checks::policy::lets_in;
use crate::doctor::checks::queue::{LEAST_KEPT, dead_letters_of_others, hides, kept, throughput};
use crate::doctor::checks::{redrive, text, unanswered};
use crate::doctor::facts::{Answer, Attributes};
use crate::doctor::finding::Finding;
use crate::doctor::served::{Bucket, Ready, Served, State};
use crate::numbers::count;

/// Who may hand a bucket's changes to a queue.
const TELLERS: [&str; 3] = [
    "s3.amazonaws.com",
    "events.amazonaws.com",
    "sns.amazonaws.com",
];

pub(in crate::doctor) fn check(served: &Served) -> Vec<Finding> {
    let mut findings = vec![state(served), ready(served.ready.as_ref())];
    findings.extend(served.bucket.as_ref().map_or_else(
        || {
            let found =
                "BUCKET_NAME names no single bucket: what comes is forwarded, and nothing can be replayed";
            vec![Finding::unchecked("bucket", found, "set BUCKET_NAME")]
        },
        bucket,
    ));
    if let Some((url, queue)) = &served.notifications {
        findings.extend(notifications(url, queue));
    }
    let url = &served.queue_url;
    match &served.queue {
        Ok(queue) => {
            findings.extend(throughput("queue-throughput", url, queue));
            findings.push(dead_letters_of_others("queue-dead-letters", queue));
            let lost = "a consumer that is away for longer needs a reseed";
            findings.push(kept("queue-retention", url, queue, (LEAST_KEPT, lost)));
            findings.push(hides("queue-visibility", url, queue));
        }
        Err(none) => {
            let advice = "is the queue there, and does QUEUE_URL name it?";
            findings.push(unanswered("queue", none, "sqs:GetQueueAttributes", advice));
        }
    }
    findings.push(answered(
        "queue-sends",
        &served.sends,
        "the queue may be sent to",
        "let serve's credentials sqs:SendMessage on the queue, and for a queue with a key kms:GenerateDataKey and \
         kms:Decrypt on the key",
    ));
    findings.extend(served.table.as_ref().map(|table| {
        answered(
            "live-table",
            table,
            "LIVE_TABLE answers",
            "is the table there, with the partition key `id`, and may serve's credentials dynamodb:GetItem and \
             dynamodb:UpdateItem on it?",
        )
    }));
    findings
}

/// What serve's own credentials were answered.
fn answered(check: &'static str, answer: &Result<(), String>, well: &str, advice: &str) -> Finding {
    match answer {
        Ok(()) => Finding::ok(check, well),
        Err(reason) => Finding::wrong(check, reason, advice),
    }
}

fn state(served: &Served) -> Finding {
    const CHECK: &str = "state";
    match (&served.state, &served.ready) {
        (State::Missing, _) => Finding::ok(CHECK, "it is not there yet, and made at the start"),
        (State::Free, None) => Finding::ok(CHECK, "nobody works in it"),
        (State::Free, Some(ready)) => Finding::warning(
            CHECK,
            format!(
                "nobody works in it, and somebody answers at {}: a serve of another directory",
                ready.url
            ),
            "give doctor the --state and --listen of one serve",
        ),
        (State::Taken, Some(_)) => Finding::ok(CHECK, "serve works in it"),
        (State::Taken, None) => Finding::warning(
            CHECK,
            "another process works in it, and nobody answers at --listen",
            "give doctor serve's --listen; or is a `reseed` at work there? serve cannot begin until it ends",
        ),
        (State::Unusable(reason), _) => Finding::wrong(
            CHECK,
            reason,
            "give serve a directory of its own with --state",
        ),
    }
}

/// What a running serve says of itself.
fn ready(ready: Option<&Ready>) -> Finding {
    const CHECK: &str = "serve";
    let Some(ready) = ready else {
        let found = "it does not run: nobody answers at --listen";
        return Finding::unchecked(CHECK, found, "start it, and ask again");
    };
    let log = "read its log; docs/OPERATIONS.md, \"serve\"";
    match &ready.answer {
        Err(reason) => Finding::wrong(CHECK, format!("{}: {reason}", ready.url), log),
        Ok((200, told)) => match told["held"].as_str() {
            Some(held) => Finding::warning(
                CHECK,
                format!("nothing live is sent: {held}"),
                "see the status of the job that is named",
            ),
            None => Finding::ok(CHECK, format!("{} is well", ready.url)),
        },
        Ok((_, Value::Object(told))) => {
            let unwell = told.iter().filter(|(_, said)| *said != "ok");
            let unwell: Vec<_> = unwell.map(|(who, said)| format!("{who}: {said}")).collect();
            Finding::wrong(CHECK, unwell.join("; "), log)
        }
        Ok((status, _)) => Finding::wrong(
            CHECK,
            format!("{} answered {status}, and not as serve does", ready.url),
            "give --listen the address that serve has",
        ),
    }
}

fn bucket(bucket: &Bucket) -> Vec<Finding> {
    let told = |check, found: &watched::Finding, well| match found {
        watched::Finding::Ok => Finding::ok(check, well),
        watched::Finding::NotChecked(reason) => {
            Finding::unchecked(check, reason, "allow yourself to ask it")
        }
        watched::Finding::Wrong(reason) => Finding::wrong(check, reason, ""),
    };
    let tells = match (&bucket.tells_queue, &bucket.tells_anybody) {
        (Some(watched::Finding::Wrong(reason)), watched::Finding::Ok) => Finding::warning(
            "notifications",
            format!("{reason}; somebody else is told of all changes"),
            "if that is the event bus or a topic that hands them on to the queue, all is well: --canary tells",
        ),
        (Some(found), _) => {
            let well = "the bucket tells the notifications' queue of its changes";
            told("notifications", found, well)
        }
        (None, found) => told(
            "notifications",
            found,
            "the bucket tells somebody of its changes",
        ),
    };
    vec![
        answered(
            "bucket",
            &bucket.listed,
            "it may be listed",
            "is the bucket there, and may serve's credentials s3:ListBucketVersions on it? Jobs and LIVE_ORDER=exact list it",
        ),
        told("versioning", &bucket.versioning, "versioning is on"),
        tells,
    ]
}

/// Where notifications wait for serve.
fn notifications(url: &str, queue: &Answer<Attributes>) -> Vec<Finding> {
    const GIVEN_UP: &str = "notifications-dead-letters";
    const KEPT: &str = "notifications-retention";
    let queue = match queue {
        Ok(queue) => queue,
        Err(none) => {
            let advice = "is the queue there, and does --notifications-queue-url name it?";
            let action = "sqs:GetQueueAttributes";
            return vec![unanswered("notifications-queue", none, action, advice)];
        }
    };
    let policy = text(queue, "Policy");
    let entrance = if TELLERS.iter().any(|teller| lets_in(policy, teller)) {
        Finding::ok("entrance", "its policy lets changes in")
    } else {
        Finding::warning(
            "entrance",
            "its policy lets neither S3 nor the event bus nor a topic send",
            "unless you send notifications yourself: README.md, \"Without Lambda\"",
        )
    };
    let given_up = match redrive(queue) {
        Some((target, most)) => Finding::ok(
            GIVEN_UP,
            format!("after {} to {target}", count(most, "attempt")),
        ),
        None => Finding::warning(
            GIVEN_UP,
            "what cannot be forwarded comes again until it is forgotten: the queue has no redrive policy",
            "give it one: Amazon SQS Developer Guide, \"Dead-letter queues\"",
        ),
    };
    let lost = "what happens while serve is away for longer is lost";
    let kept = kept(KEPT, url, queue, (LEAST_KEPT, lost));
    vec![entrance, given_up, kept]
}

#[cfg(test)]
mod tests {
    use bridge_core::watched::NoAnswer;
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Level;

    fn named<const N: usize>(pairs: [(&str, &str); N]) -> Attributes {
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// A serve that runs and is well.
    fn well() -> Served {
        let redrive = r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":5}"#;
        let policy =
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"}}}"#;
        let kept = ("MessageRetentionPeriod", "1209600");
        Served {
            queue_url: "https://sqs.x/1/events.fifo".to_owned(),
            queue: Ok(named([
                ("DeduplicationScope", "messageGroup"),
                ("FifoThroughputLimit", "perMessageGroupId"),
                ("VisibilityTimeout", "60"),
                ("RedrivePolicy", redrive),
                kept,
            ])),
            sends: Ok(()),
            notifications: Some((
                "https://sqs.x/1/notifications".to_owned(),
                Ok(named([
                    ("RedrivePolicy", redrive),
                    ("Policy", policy),
                    kept,
                ])),
            )),
            bucket: Some(Bucket {
                listed: Ok(()),
                versioning: watched::Finding::Ok,
                tells_queue: Some(watched::Finding::Ok),
                tells_anybody: watched::Finding::Ok,
            }),
            table: Some(Ok(())),
            state: State::Taken,
            ready: Some(ready(200, json!({ "queue": "ok" }))),
        }
    }

    fn ready(status: u16, told: Value) -> Ready {
        Ready {
            url: "http://127.0.0.1:8080/readyz".to_owned(),
            answer: Ok((status, told)),
        }
    }

    fn bad(served: &Served) -> Vec<(&'static str, Level)> {
        let findings = check(served).into_iter();
        let bad = findings.filter(|found| found.level != Level::Ok);
        bad.map(|found| (found.check, found.level)).collect()
    }

    #[track_caller]
    fn finds(check: &'static str, level: Level, change: impl Fn(&mut Served)) {
        let mut served = well();
        change(&mut served);
        assert_eq!(bad(&served), [(check, level)]);
    }

    fn set(queue: &mut Answer<Attributes>, name: &str, value: &str) {
        let attributes = queue.as_mut().unwrap();
        attributes.insert(name.to_owned(), value.to_owned());
    }

    fn wrong(reason: &str) -> watched::Finding {
        watched::Finding::Wrong(reason.to_owned())
    }

    #[test]
    fn each_thing_broken_by_itself_is_found_and_nothing_else_is() {
        use Level::{Unchecked, Warning, Wrong};
        assert_eq!(bad(&well()), []);
        let no = || Err("AccessDenied".to_owned());
        finds("queue-sends", Wrong, |served| served.sends = no());
        finds("live-table", Wrong, |served| served.table = Some(no()));
        finds("bucket", Wrong, |served| {
            served.bucket.as_mut().unwrap().listed = no();
        });
        finds("bucket", Unchecked, |served| served.bucket = None);
        finds("versioning", Wrong, |served| {
            served.bucket.as_mut().unwrap().versioning = wrong("suspended");
        });
        finds("notifications", Warning, |served| {
            served.bucket.as_mut().unwrap().tells_queue = Some(wrong("not the queue"));
        });
        finds("notifications", Wrong, |served| {
            let bucket = served.bucket.as_mut().unwrap();
            bucket.tells_queue = Some(wrong("nobody"));
            bucket.tells_anybody = wrong("nobody");
        });
        finds("queue", Wrong, |served| {
            served.queue = Err(NoAnswer {
                is_refused: false,
                reason: "NonExistentQueue".to_owned(),
            });
        });
        for (check, name, value) in [
            ("queue-throughput", "FifoThroughputLimit", "perQueue"),
            ("queue-dead-letters", "RedrivePolicy", ""),
            ("queue-retention", "MessageRetentionPeriod", "3600"),
            ("queue-visibility", "VisibilityTimeout", "0"),
        ] {
            finds(check, Warning, |served| set(&mut served.queue, name, value));
        }
        for (check, name, value) in [
            ("entrance", "Policy", "{}"),
            ("notifications-dead-letters", "RedrivePolicy", ""),
            ("notifications-retention", "MessageRetentionPeriod", "3600"),
        ] {
            finds(check, Warning, |served| {
                set(&mut served.notifications.as_mut().unwrap().1, name, value);
            });
        }
    }

    #[test]
    fn what_runs_is_told_from_what_does_not() {
        use Level::{Unchecked, Warning, Wrong};
        for (state, answer, expected) in [
            (State::Missing, None, vec![("serve", Unchecked)]),
            (State::Free, None, vec![("serve", Unchecked)]),
            (
                State::Taken,
                None,
                vec![("state", Warning), ("serve", Unchecked)],
            ),
            (
                State::Free,
                Some(ready(200, json!({}))),
                vec![("state", Warning)],
            ),
            (
                State::Unusable("a link".to_owned()),
                None,
                vec![("state", Wrong), ("serve", Unchecked)],
            ),
            (
                State::Taken,
                Some(ready(503, json!({ "queue": "AccessDenied" }))),
                vec![("serve", Wrong)],
            ),
            (
                State::Taken,
                Some(ready(200, json!({ "held": "by a job" }))),
                vec![("serve", Warning)],
            ),
            (
                State::Taken,
                Some(ready(404, Value::Null)),
                vec![("serve", Wrong)],
            ),
        ] {
            let mut served = well();
            (served.state, served.ready) = (state, answer);
            assert_eq!(bad(&served), expected, "{served:?}");
        }
    }
}
