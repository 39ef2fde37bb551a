//! What the policies of docs/policies allow to people and to a consumer: single actions on what the template names.

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
    let stack = "STACK/*".to_owned();
    let named = named.map(|name| name.replace("${AWS::StackName}", "STACK"));
    named.chain([stack]).collect()
}

#[test]
fn each_statement_names_its_actions_and_what_is_there() {
    let there = names();
    for (who, text) in POLICIES {
        for statement in document(text).statement {
            assert_eq!(statement.effect, "Allow");
            for action in &statement.action {
                assert!(!action.contains('*'), "{who}: {action}");
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
