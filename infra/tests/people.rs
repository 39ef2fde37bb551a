//! What the policies of docs/policies allow to people and to a consumer: single actions on what the template names.
//! Whether a deployer may do all that is needed is asked of AWS's registry (`tests/tests/deployer.rs`).

use std::collections::BTreeSet;

use infra::resources::{PolicyDocument, Resource};
use infra::stack::Stack;
use infra::template::Template;

const POLICIES: [(&str, &str); 2] = [
    (
        "operator",
        include_str!("../../docs/policies/operator.json"),
    ),
    (
        "consumer",
        include_str!("../../docs/policies/consumer.json"),
    ),
];

const DEPLOYER: &str = include_str!("../../docs/policies/deployer.json");

/// What cannot be bound to a name, or belongs to SAM: statement and resource.
const NOT_THE_STACKS: [(&str, &str); 7] = [
    (
        "Transform",
        "arn:aws:cloudformation:REGION:aws:transform/Serverless-2016-10-31",
    ),
    ("SummarizeTemplate", "*"),
    (
        "SamStack",
        "arn:aws:cloudformation:REGION:ACCOUNT:stack/aws-sam-cli-managed-default/*",
    ),
    ("SamBucket", "arn:aws:s3:::aws-sam-cli-managed-default-*"),
    ("SamBucket", "arn:aws:s3:::aws-sam-cli-managed-default-*/*"),
    (
        "TagMappings",
        "arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:*",
    ),
    ("FindLogs", "*"),
];

/// Actions that have no resources to name.
/// Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for" Amazon `CloudWatch`, AWS
/// Lambda.
const WITHOUT_RESOURCES: [&str; 2] = ["cloudwatch:GetMetricData", "lambda:ListEventSourceMappings"];

/// What an operator looks at besides: the schedule that SAM makes of the function, and what parameters name.
const BESIDE: [&str; 3] = ["STACK-sweep", "REPLAY", "KEY"];

fn document(text: &str) -> PolicyDocument {
    // JSON is YAML.
    serde_norway::from_str(text).unwrap()
}

/// The names that the template gives, `STACK` for the stack's.
fn names() -> BTreeSet<String> {
    let template = Template::parse(include_str!("../../template.yaml")).unwrap();
    let stack = Stack::of(&template, &[]).unwrap();
    let named = stack
        .resources
        .values()
        .filter_map(|resource| match resource {
            Resource::Function(function) => Some(function.function_name.clone()),
            Resource::Queue(queue) => Some(queue.queue_name.clone()),
            Resource::LogGroup(logs) => Some(format!("{}:*", logs.log_group_name)),
            _ => None,
        });
    // The rule is there with an existing bucket only.
    let others = ["STACK/*", "STACK-changes"].map(ToOwned::to_owned);
    let named = named.map(|name| name.replace("${AWS::StackName}", "STACK"));
    named.chain(others).collect()
}

#[test]
fn each_statement_names_its_actions_and_what_is_there() {
    let mut there = names();
    there.extend(BESIDE.map(ToOwned::to_owned));
    for (who, text) in POLICIES {
        for statement in document(text).statement {
            assert_eq!(statement.effect, "Allow");
            for action in &statement.action {
                assert!(!action.contains('*'), "{who}: {action}");
            }
            let has_none = |action: &String| WITHOUT_RESOURCES.contains(&action.as_str());
            if statement.action.iter().all(has_none) {
                assert_eq!(statement.resource, ["*"], "{who} {}", statement.sid);
                continue;
            }
            for resource in &statement.resource {
                let named = there.iter().any(|name| {
                    resource.ends_with(&format!(":{name}"))
                        || resource.ends_with(&format!("/{name}"))
                });
                assert!(
                    named,
                    "{who} {}: {resource} is nothing of the template",
                    statement.sid
                );
            }
        }
    }
}

/// A consumer cannot forge an event, and an operator cannot take one from the consumer by reading it.
#[test]
fn a_consumer_sends_nothing_and_an_operator_takes_nothing_from_it() {
    let may = |text: &str, action: &str, end: &str| {
        let statements = document(text).statement;
        statements.iter().any(|s| {
            s.action.iter().any(|a| a == action) && s.resource.iter().any(|on| on.ends_with(end))
        })
    };
    let [(_, operator), (_, consumer)] = POLICIES;
    assert!(may(consumer, "sqs:ReceiveMessage", "STACK-events.fifo"));
    assert!(!may(consumer, "sqs:SendMessage", "STACK-events.fifo"));
    assert!(may(operator, "lambda:InvokeFunction", "STACK-reseed"));
    assert!(!may(operator, "sqs:ReceiveMessage", "STACK-events.fifo"));
}

/// A mapping has no name that is known before; its function has. Roles may be passed on to the functions and their
/// schedule alone: else whoever deploys could hand them to a machine of its own.
#[test]
fn a_deployer_touches_what_bears_the_stacks_name() {
    let mut others = BTreeSet::from(NOT_THE_STACKS);
    let policy = document(DEPLOYER);
    for statement in &policy.statement {
        let sid = statement.sid.as_str();
        assert_eq!(statement.effect, "Allow");
        let wide = statement.action.iter().find(|action| action.contains('*'));
        assert_eq!(wide, None, "{sid}");
        let value = |operator: &str, key: &str| {
            let key = statement.condition.get(operator)?.get(key)?;
            Some(serde_norway::to_string(key).unwrap())
        };
        if sid == "PassRoles" {
            let to = value("StringEquals", "iam:PassedToService");
            assert_eq!(
                to.as_deref(),
                Some("- lambda.amazonaws.com\n- scheduler.amazonaws.com\n")
            );
        }
        for resource in &statement.resource {
            if sid == "Mappings" {
                let of = value("ArnLike", "lambda:FunctionArn").unwrap();
                assert!(of.trim().ends_with(":function:STACK-*"), "{of}");
            } else if !resource.contains("STACK") {
                assert!(others.remove(&(sid, resource)), "{sid}: {resource}");
            }
        }
    }
    assert_eq!(others, BTreeSet::new(), "not in the policy any more");
    for name in names() {
        let named = policy.statement.iter().any(|statement| {
            statement.resource.iter().any(|resource| {
                let end = resource.rsplit(':').next().unwrap_or_default();
                let begin = end.trim_end_matches('*');
                resource.ends_with(&name) || begin.starts_with("STACK") && name.starts_with(begin)
            })
        });
        assert!(named, "{name}");
    }
}
