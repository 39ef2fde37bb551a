//! What a role may do, and what a function is told, with the names of resources that are there: for a server that judges
//! by policies, which is not AWS.

use std::collections::BTreeMap;

use serde_norway::Value;

use crate::resources::{PolicyDocument, Resource, Role, Statement};
use crate::stack::Stack;

/// What only AWS knows, by how the template names it: `Queue` (a URL), `Queue.Arn`, `AWS::Region` …
pub type Names = BTreeMap<String, String>;

/// The policy of a role of the stack: what stands in the role, and what is attached to it.
///
/// # Errors
/// A role that the stack has not, or the first name that `names` lacks.
pub fn policy(stack: &Stack, role: &str, names: &Names) -> Result<PolicyDocument, String> {
    let own = stack.roles().find(|(id, _)| *id == role);
    let (_, own) = own.ok_or_else(|| format!("the stack has no role {role}"))?;
    let reference = format!("${{{role}}}");
    let attached = stack.all(|resource| match resource {
        Resource::Policy(policy) if policy.roles.contains(&reference) => Some(policy),
        _ => None,
    });
    let attached = attached.flat_map(|(_, policy)| &policy.policy_document.statement);
    let statements = Role::statements(own).chain(attached);
    Ok(PolicyDocument {
        version: "2012-10-17".to_owned(),
        statement: statements
            .map(|statement| named(statement, names))
            .collect::<Result<_, _>>()?,
    })
}

/// The variables of a function of the stack.
///
/// # Errors
/// A function that the stack has not, or the first name that `names` lacks.
pub fn variables(
    stack: &Stack,
    function: &str,
    names: &Names,
) -> Result<BTreeMap<String, String>, String> {
    let found = stack.function(function);
    let found = found.ok_or_else(|| format!("the stack has no function {function}"))?;
    let variables = found.environment.variables.iter();
    variables
        .map(|(name, value)| Ok((name.clone(), fill(value, names)?)))
        .collect()
}

/// `text` with a name for each `${…}` in it.
///
/// # Errors
/// The first that `names` lacks.
pub fn fill(text: &str, names: &Names) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after
            .split_once('}')
            .ok_or_else(|| format!("a brace is not closed in {text}"))?;
        let known = names.get(name);
        let known = known.ok_or_else(|| format!("{name} in {text} is nothing that is there"))?;
        filled.extend([before, known]);
        rest = behind;
    }
    Ok(filled + rest)
}

fn named(statement: &Statement, names: &Names) -> Result<Statement, String> {
    let mut statement = statement.clone();
    for resource in &mut statement.resource {
        *resource = fill(resource, names)?;
    }
    for value in statement
        .condition
        .values_mut()
        .flat_map(BTreeMap::values_mut)
    {
        name_value(value, names)?;
    }
    Ok(statement)
}

fn name_value(value: &mut Value, names: &Names) -> Result<(), String> {
    match value {
        Value::String(text) => *text = fill(text, names)?,
        Value::Sequence(items) => {
            for item in items {
                name_value(item, names)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Template, show};

    fn stack(given: &[(&str, &str)]) -> Stack {
        let template = Template::parse(include_str!("../../template.yaml")).unwrap();
        Stack::of(&template, given).unwrap()
    }

    /// A name for everything, which tells what it stands for.
    fn names(stack: &Stack) -> Names {
        let ids = stack.resources.keys();
        let resources =
            ids.flat_map(|id| [id.clone(), format!("{id}.Arn"), format!("{id}.StreamArn")]);
        let own = ["AccountId", "Partition", "Region", "StackName", "URLSuffix"];
        let own = own.map(|name| format!("AWS::{name}"));
        resources
            .chain(own)
            .map(|name| (name.clone(), format!("<{name}>")))
            .collect()
    }

    #[test]
    fn a_role_may_what_it_says_and_what_is_attached_to_it() {
        let stack = stack(&[("LiveOrder", "exact")]);
        let policy = policy(&stack, "RealtimeRole", &names(&stack)).unwrap();
        let sids: Vec<_> = policy.statement.iter().map(|s| s.sid.as_str()).collect();
        let expected = [
            "Log",
            "Trace",
            "GiveUp",
            "Deliver",
            "Buffer",
            "KeepOrder",
            "ReadHistory",
        ];
        assert_eq!(sids, expected);
        assert_eq!(policy.statement[3].resource, ["<Queue.Arn>"]);
        assert_eq!(policy.statement[6].resource, ["<Bucket.Arn>"]);
        let written = serde_norway::to_string(&policy.statement[6]).unwrap();
        assert!(
            !written.contains("Condition") && !written.contains("Principal"),
            "{written}"
        );
    }

    #[test]
    fn conditions_get_their_names_too() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1";
        let stack = stack(&[("KmsKeyArn", key), ("LiveOrder", "newest")]);
        let policy = policy(&stack, "ReseedRole", &names(&stack)).unwrap();
        let condition = |sid: &str| {
            let statement = policy.statement.iter().find(|s| s.sid == sid).unwrap();
            let all = statement.condition.values().flat_map(BTreeMap::values);
            all.map(show).collect::<Vec<_>>()
        };
        assert_eq!(condition("Hold"), ["[stream]"]);
        let services = ["sqs", "s3", "dynamodb"];
        let services = services.map(|of| format!("{of}.<AWS::Region>.<AWS::URLSuffix>"));
        assert_eq!(condition("Encrypt"), [format!("[{}]", services.join(", "))]);
    }

    #[test]
    fn a_function_is_told_names_that_are_there() {
        let stack = stack(&[("Ingestion", "buffered"), ("LiveOrder", "newest")]);
        let told = variables(&stack, "Reseed", &names(&stack)).unwrap();
        assert_eq!(told["BUFFER_URL"], "<BufferQueue>");
        assert_eq!(told["CHANGES_GO_TO"], "<BufferQueue.Arn>");
        assert_eq!(told["REALTIME_TIMEOUT"], "60");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let stack = stack(&[]);
        let error = policy(&stack, "RealtimeRole", &Names::new()).unwrap_err();
        assert_eq!(
            error,
            "RealtimeLogs.Arn in ${RealtimeLogs.Arn} is nothing that is there"
        );
        let error = policy(&stack, "Nobody", &Names::new()).unwrap_err();
        assert_eq!(error, "the stack has no role Nobody");
        assert!(variables(&stack, "Nobody", &Names::new()).is_err());
        assert!(fill("${open", &Names::new()).is_err());
    }
}
