//! The parts of a policy: one action of one statement on one resource.

use infra::resources::{PolicyDocument, Statement};

use super::judge::Decision;

/// One action of one statement on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The statement.
    pub sid: String,
    /// The action.
    pub action: String,
    /// The resource, or a pattern of such.
    pub resource: String,
}

impl Grant {
    /// Whether it lets what was asked for.
    #[must_use]
    pub fn covers(&self, asked: &Decision) -> bool {
        let is_on = match self.resource.split_once('*') {
            None => asked.resource == self.resource,
            Some((begin, end)) => {
                let behind = asked.resource.strip_prefix(begin);
                behind.is_some_and(|behind| behind.ends_with(end))
            }
        };
        self.action == asked.action && is_on
    }
}

/// All parts of a policy, in its order.
#[must_use]
pub fn grants(policy: &PolicyDocument) -> Vec<Grant> {
    let parts = |statement: &Statement| {
        let mut grants = Vec::new();
        for action in &statement.action {
            for resource in &statement.resource {
                grants.push(Grant {
                    sid: statement.sid.clone(),
                    action: action.clone(),
                    resource: resource.clone(),
                });
            }
        }
        grants
    };
    policy.statement.iter().flat_map(parts).collect()
}

/// The policy without one part.
#[must_use]
pub fn without(policy: &PolicyDocument, taken: &Grant) -> PolicyDocument {
    let mut rest = Vec::new();
    for statement in &policy.statement {
        if statement.sid != taken.sid {
            rest.push(statement.clone());
            continue;
        }
        let mut other_actions = statement.clone();
        other_actions
            .action
            .retain(|action| *action != taken.action);
        let mut other_resources = statement.clone();
        other_resources.sid += "Elsewhere";
        other_resources.action = vec![taken.action.clone()];
        other_resources.resource.retain(|on| *on != taken.resource);
        rest.push(other_actions);
        rest.push(other_resources);
    }
    rest.retain(|statement| !statement.action.is_empty() && !statement.resource.is_empty());
    PolicyDocument {
        version: policy.version.clone(),
        statement: rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PolicyDocument {
        let statement = r#"[
            {"Sid": "Plan", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "b/jobs/*"},
            {"Sid": "Deliver", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ["q", "r"]}
        ]"#;
        let statement = serde_json::from_str(statement).unwrap();
        let version = String::new();
        PolicyDocument { version, statement }
    }

    #[test]
    fn a_policy_without_a_part_has_all_the_others() {
        let all = grants(&policy());
        assert_eq!(all.len(), 4);
        for taken in &all {
            let mut rest: Vec<_> = grants(&without(&policy(), taken));
            for grant in &mut rest {
                grant.sid = grant.sid.replace("Elsewhere", "");
            }
            rest.sort();
            let mut expected: Vec<_> = all.iter().filter(|g| *g != taken).cloned().collect();
            expected.sort();
            assert_eq!(rest, expected);
        }
    }

    #[test]
    fn a_part_covers_its_action_on_its_resource() {
        let asked = |action: &str, resource: &str| Decision {
            action: action.to_owned(),
            resource: resource.to_owned(),
            allowed: true,
            payload: None,
        };
        let plan = &grants(&policy())[0];
        assert!(plan.covers(&asked("s3:GetObject", "b/jobs/1/run")));
        assert!(!plan.covers(&asked("s3:PutObject", "b/jobs/1/run")));
        assert!(!plan.covers(&asked("s3:GetObject", "b/others")));
        let deliver = &grants(&policy())[2];
        assert!(deliver.covers(&asked("sqs:SendMessage", "q")));
        assert!(!deliver.covers(&asked("sqs:SendMessage", "qq")));
    }
}
