//! Keys of KMS: of what the stack encrypts, and of queues that it was given.
//!
//! The functions' roles are let use `KmsKeyArn` by the template, through SQS, S3 and `DynamoDB`. Whether that suffices, the
//! key's own policy says. Its conditions are not weighed here, and a queue uses its key for messages only: so a message alone
//! proves it. What reseed reads of the tables, and `--write` of the plans, it tells by doing it.

use crate::doctor::beside::KEY_OF_SQS;
use crate::doctor::checks::policy::{Who, lets_use};
use crate::doctor::checks::source::service;
use crate::doctor::checks::{text, unanswered};
use crate::doctor::facts::{Attributes, Facts, Key};
use crate::doctor::finding::Finding;

const ASKED: &str = "kms:DescribeKey and kms:GetKeyPolicy on the key";

const POLICY: &str =
    "change the key's policy: docs/OPERATIONS.md, \"A bucket, a queue and a key that you have\"";

/// Who uses a queue's key.
type Users = &'static [&'static str];

const BOTH: Users = &["RealtimeRoleArn", "ReseedRoleArn"];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = facts.stack.parameter("KmsKeyArn");
    if !own.is_empty() {
        findings.push(of_stack(facts, own));
    }
    let replay = facts.replay.as_ref().map(|replay| &replay.queue);
    let queues: [(&'static str, _, Users); 4] = [
        ("queue-key", Some(&facts.queue), BOTH),
        ("replay-queue-key", replay, &BOTH[1..]),
        ("buffer-key", Some(&facts.buffer), &BOTH[..1]),
        ("on-failure-key", Some(&facts.on_failure), BOTH),
    ];
    for (check, queue, users) in queues {
        // One that is not there is told of elsewhere.
        if let Some(Ok(queue)) = queue {
            findings.extend(of_queue(check, queue, users, facts));
        }
    }
    findings
}

/// `KmsKeyArn`.
fn of_stack(facts: &Facts, arn: &str) -> Finding {
    const CHECK: &str = "key";
    let key = match facts.keys.get(arn) {
        Some(Ok(key)) => key,
        Some(Err(none)) => {
            let advice =
                "is the key there? Without it nothing that the stack has encrypted can be read";
            return unanswered(CHECK, none, ASKED, advice);
        }
        None => return Finding::unchecked(CHECK, "it was not asked for", "ask again"),
    };
    if let Some(wrong) = is_off(CHECK, key) {
        return wrong;
    }
    let policy = match &key.policy {
        Ok(policy) => policy,
        Err(none) => {
            let found = format!(
                "it is enabled; whether its policy lets the functions use it was not told: {}",
                none.reason
            );
            return Finding::unchecked(CHECK, found, format!("allow yourself {ASKED}"));
        }
    };
    let roles = BOTH
        .iter()
        .filter_map(|role| facts.stack.outputs.get(*role));
    let users = roles.map(|role| (role.as_str(), [Who::Role(role), Who::AccountOf(role)]));
    let users = users.filter(|(_, ways)| !ways.iter().any(|who| lets_use(policy, *who)));
    let mut lacking: Vec<&str> = users.map(|(role, _)| role).collect();
    // Who puts changes into a queue of the stack: into the buffer, or, a rule, what it cannot hand over.
    let sender = service(facts);
    let is_sent = facts.is_buffered() || facts.is_of_others();
    if is_sent && !lets_use(policy, Who::Service(sender)) {
        lacking.push(sender);
    }
    if lacking.is_empty() {
        return Finding::ok(
            CHECK,
            "it is enabled, and its policy lets the functions use it (conditions not weighed: a message proves it)",
        );
    }
    let found = format!(
        "its policy does not let {} use it (kms:GenerateDataKey, kms:Decrypt)",
        lacking.join(", ")
    );
    Finding::wrong(CHECK, found, POLICY)
}

/// The key of a queue, if it has one.
fn of_queue(
    check: &'static str,
    queue: &Attributes,
    users: Users,
    facts: &Facts,
) -> Option<Finding> {
    let id = text(queue, "KmsMasterKeyId");
    if id.is_empty() {
        return None; // encrypted by SQS's own key, or not at all
    }
    if id == KEY_OF_SQS {
        let found = format!(
            "AWS's own key of SQS, which {} may not use: no change arrives",
            service(facts)
        );
        let advice = "somebody changed the buffer: deploy again";
        return Some(if check == "buffer-key" && facts.is_buffered() {
            Finding::wrong(check, found, advice)
        } else {
            Finding::ok(check, "AWS's own key of SQS")
        });
    }
    let own = facts.stack.parameter("KmsKeyArn");
    let key = facts.keys.get(id);
    let is_own =
        |name: &str| !own.is_empty() && (name == own || own.ends_with(&format!("/{name}")));
    if is_own(id) || key.is_some_and(|key| key.as_ref().is_ok_and(|key| is_own(&key.arn))) {
        return Some(Finding::ok(
            check,
            "the key KmsKeyArn, which the functions' roles may use",
        ));
    }
    let not_told = |reason: &str| {
        let found = format!(
            "{id}, which is not KmsKeyArn: whether the functions may use it was not told: {reason}"
        );
        let advice = format!("allow yourself {ASKED}; else a message alone tells");
        Finding::unchecked(check, found, advice)
    };
    let key = match key {
        Some(Ok(key)) => key,
        Some(Err(none)) => return Some(not_told(&none.reason)),
        None => return Some(not_told("it was not asked for")),
    };
    if let Some(wrong) = is_off(check, key) {
        return Some(wrong);
    }
    let policy = match &key.policy {
        Ok(policy) => policy,
        Err(none) => return Some(not_told(&none.reason)),
    };
    let roles = users
        .iter()
        .filter_map(|role| facts.stack.outputs.get(*role));
    let lacking = roles.filter(|role| !lets_use(policy, Who::Role(role)));
    let lacking: Vec<&str> = lacking.map(String::as_str).collect();
    if lacking.is_empty() {
        let found = format!("{id}, whose policy names the functions' roles");
        return Some(Finding::ok(check, found));
    }
    let by_others = lacking
        .iter()
        .all(|role| lets_use(policy, Who::AccountOf(role)));
    let names = lacking.join(", ");
    let advice = "deploy with it as KmsKeyArn, give the queue the key that KmsKeyArn names, or name the roles in the key's \
                  policy (kms:GenerateDataKey, kms:Decrypt)";
    Some(if by_others {
        let found = format!(
            "{id}, which is not KmsKeyArn: the template does not let {names} use it; nothing is sent unless a policy that \
             somebody else gave them does"
        );
        Finding::warning(check, found, advice)
    } else {
        let found = format!("{id}, which {names} may not use: nothing can be sent");
        Finding::wrong(check, found, advice)
    })
}

/// A key that encrypts and decrypts nothing.
fn is_off(check: &'static str, key: &Key) -> Option<Finding> {
    let (arn, state) = (&key.arn, &key.state);
    let advice = match state.as_str() {
        "Enabled" => return None,
        "PendingDeletion" => format!(
            "at once, or what it encrypted is lost: aws kms cancel-key-deletion --key-id {arn}, then aws kms enable-key \
             --key-id {arn}"
        ),
        _ => format!("aws kms enable-key --key-id {arn}"),
    };
    let found = format!("{arn} is {state}: nothing is encrypted or read with it");
    Some(Finding::wrong(check, found, advice))
}
