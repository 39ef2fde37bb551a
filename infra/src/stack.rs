//! What would be deployed: the template's resources for given parameters.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_norway::{Mapping, Value};

use crate::intrinsic::{Parameters, Resolver};
use crate::resources::{
    Bucket, Function, Permission, Queue, QueuePolicy, Resource, Role, one_or_many,
};
use crate::template::{Template, show};

/// The resources of a deployment, by logical id.
#[derive(Debug)]
pub struct Stack {
    /// All of them whose condition holds.
    pub resources: BTreeMap<String, Resource>,
    /// What becomes of each of them, by the same ids.
    pub lives: BTreeMap<String, Life>,
}

/// When a resource is made, and whether it outlives the stack.
/// Source: AWS `CloudFormation` User Guide, "Resource attribute reference".
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Life {
    /// What happens when it leaves the stack.
    pub deletion_policy: String,
    /// What happens to it when another takes its place.
    pub update_replace_policy: String,
    /// Made after these: one, or a list of them.
    #[serde(deserialize_with = "one_or_many")]
    pub depends_on: Vec<String>,
}

/// Why a template cannot be deployed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// A parameter is unknown or has a value that is not allowed.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A rule of the template refuses these parameters.
    #[error("rule {name}: {description}")]
    Refused {
        /// The rule's name.
        name: String,
        /// Its `AssertDescription`.
        description: String,
    },
    /// A part of the template cannot be understood.
    #[error("{place}: {reason}")]
    Template {
        /// Which part.
        place: String,
        /// Why.
        reason: String,
    },
}

impl Stack {
    /// Deploys `template` on paper, with its defaults and what `given` says.
    ///
    /// # Errors
    /// [`StackError`]
    pub fn of(template: &Template, given: &[(&str, &str)]) -> Result<Self, StackError> {
        let parameters = parameters(template, given)?;
        let resolver = Resolver::new(template, &parameters);
        check_rules(template, &resolver)?;
        let (mut resources, mut lives) = (BTreeMap::new(), BTreeMap::new());
        for (id, written) in template.section("Resources") {
            let failed = |reason| StackError::Template {
                place: format!("resource {id}"),
                reason,
            };
            if let Some(condition) = written["Condition"].as_str()
                && !resolver.condition(condition).map_err(failed)?
            {
                continue;
            }
            let mut written = written.clone();
            if written["Type"] == "AWS::Serverless::Function" {
                add_globals(
                    &mut written["Properties"],
                    &template.0["Globals"]["Function"],
                );
            }
            let plain = resolver.resolve(&written).map_err(failed)?;
            let plain = plain.unwrap_or_default();
            let wrong = |error: serde_norway::Error| failed(error.to_string());
            let life = serde_norway::from_value(plain.clone()).map_err(wrong)?;
            lives.insert(id.to_owned(), life);
            let resource = serde_norway::from_value(plain).map_err(wrong)?;
            resources.insert(id.to_owned(), resource);
        }
        Ok(Self { resources, lives })
    }

    /// All buckets.
    pub fn buckets(&self) -> impl Iterator<Item = (&str, &Bucket)> {
        self.all(|resource| match resource {
            Resource::Bucket(bucket) => Some(bucket),
            _ => None,
        })
    }

    /// All queues.
    pub fn queues(&self) -> impl Iterator<Item = (&str, &Queue)> {
        self.all(|resource| match resource {
            Resource::Queue(queue) => Some(queue),
            _ => None,
        })
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Function)> {
        self.all(|resource| match resource {
            Resource::Function(function) => Some(&**function),
            _ => None,
        })
    }

    /// All roles.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &Role)> {
        self.all(|resource| match resource {
            Resource::Role(role) => Some(role),
            _ => None,
        })
    }

    /// All permissions to invoke a function.
    pub fn permissions(&self) -> impl Iterator<Item = (&str, &Permission)> {
        self.all(|resource| match resource {
            Resource::Permission(permission) => Some(permission),
            _ => None,
        })
    }

    /// All policies of queues.
    pub fn queue_policies(&self) -> impl Iterator<Item = (&str, &QueuePolicy)> {
        self.all(|resource| match resource {
            Resource::QueuePolicy(policy) => Some(policy),
            _ => None,
        })
    }

    /// A queue by its logical id.
    #[must_use]
    pub fn queue(&self, id: &str) -> Option<&Queue> {
        self.queues().find(|(own, _)| *own == id).map(|(_, q)| q)
    }

    /// A function by its logical id.
    #[must_use]
    pub fn function(&self, id: &str) -> Option<&Function> {
        self.functions().find(|(own, _)| *own == id).map(|(_, f)| f)
    }

    /// The role of a function, if this stack makes it.
    #[must_use]
    pub fn role_of(&self, function: &Function) -> Option<&Role> {
        let roles = self.roles();
        let named = |id: &str| function.role == format!("${{{id}.Arn}}");
        roles.into_iter().find(|(id, _)| named(id)).map(|(_, r)| r)
    }

    /// All resources of a kind, by logical id.
    pub(crate) fn all<'a, T: 'a>(
        &'a self,
        of_kind: impl Fn(&'a Resource) -> Option<&'a T>,
    ) -> impl Iterator<Item = (&'a str, &'a T)> {
        self.resources
            .iter()
            .filter_map(move |(id, resource)| Some((id.as_str(), of_kind(resource)?)))
    }
}

/// Defaults, and `given` over them; each checked as `CloudFormation` checks it.
fn parameters(template: &Template, given: &[(&str, &str)]) -> Result<Parameters, StackError> {
    let mut given: BTreeMap<_, _> = given.iter().copied().collect();
    let mut parameters = Parameters::new();
    for (name, declared) in template.section("Parameters") {
        let value = match given.remove(name) {
            Some(value) => value.to_owned(),
            None => show(&declared["Default"]),
        };
        check_parameter(declared, &value).map_err(|reason| StackError::Parameter {
            name: name.to_owned(),
            reason,
        })?;
        parameters.insert(name.to_owned(), value);
    }
    match given.into_keys().next() {
        None => Ok(parameters),
        Some(unknown) => Err(StackError::Parameter {
            name: unknown.to_owned(),
            reason: "the template has none of this name".to_owned(),
        }),
    }
}

fn check_parameter(declared: &Value, value: &str) -> Result<(), String> {
    if let Some(allowed) = declared["AllowedValues"].as_sequence()
        && !allowed.iter().any(|a| show(a) == value)
    {
        return Err(format!(
            "{value:?} is none of {}",
            show(&declared["AllowedValues"])
        ));
    }
    if let Some(pattern) = declared["AllowedPattern"].as_str() {
        let pattern = regex_lite::Regex::new(pattern).map_err(|error| error.to_string())?;
        if !pattern.is_match(value) {
            return Err(format!(
                "{value:?} {}",
                show(&declared["ConstraintDescription"])
            ));
        }
    }
    if declared["Type"] == "Number" {
        let number: u64 = value
            .parse()
            .map_err(|_| format!("{value:?} is no number"))?;
        let below = declared["MinValue"]
            .as_u64()
            .is_some_and(|least| number < least);
        let above = declared["MaxValue"]
            .as_u64()
            .is_some_and(|most| number > most);
        if below || above {
            return Err(format!("{number} is out of bounds"));
        }
    }
    Ok(())
}

/// Source: AWS `CloudFormation` User Guide, "Rules section".
fn check_rules(template: &Template, resolver: &Resolver<'_>) -> Result<(), StackError> {
    for (name, rule) in template.section("Rules") {
        let failed = |reason| StackError::Template {
            place: format!("rule {name}"),
            reason,
        };
        let applies = match rule.get("RuleCondition") {
            None => true,
            Some(condition) => resolver.truth(condition).map_err(failed)?,
        };
        for assertion in rule["Assertions"].as_sequence().into_iter().flatten() {
            if applies && !resolver.truth(&assertion["Assert"]).map_err(failed)? {
                return Err(StackError::Refused {
                    name: name.to_owned(),
                    description: show(&assertion["AssertDescription"]),
                });
            }
        }
    }
    Ok(())
}

/// SAM merges `Globals` into each function: mappings entry by entry, anything else as a whole.
/// Source: AWS SAM Developer Guide, "Globals section of the AWS SAM template".
fn add_globals(properties: &mut Value, globals: &Value) {
    let Value::Mapping(globals) = globals else {
        return;
    };
    if properties.is_null() {
        *properties = Value::Mapping(Mapping::new());
    }
    for (name, global) in globals {
        match properties.get_mut(name) {
            None => properties[name] = global.clone(),
            Some(own) if own.is_mapping() => add_globals(own, global),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globals_are_merged_as_sam_does() {
        let mut own: Value = serde_norway::from_str("{A: 1, E: {V: {X: mine}}}").unwrap();
        let globals =
            serde_norway::from_str("{A: 2, B: 3, E: {V: {X: theirs, Y: theirs}}}").unwrap();
        add_globals(&mut own, &globals);
        assert_eq!(show(&own), "{A: 1, E: {V: {X: mine, Y: theirs}}, B: 3}");
    }
}
