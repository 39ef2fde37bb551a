//! `CloudFormation`'s intrinsic functions, for given parameters.
//!
//! What only AWS knows stays a name: `!Ref Queue` becomes `${Queue}`, `!GetAtt Queue.Arn` becomes
//! `${Queue.Arn}`, `!Ref AWS::Region` becomes `${AWS::Region}`. So a rule can see what refers to what.
//!
//! Source: AWS `CloudFormation` User Guide, "Intrinsic function reference".

use std::collections::BTreeMap;

use serde_norway::value::TaggedValue;
use serde_norway::{Mapping, Value};

use crate::template::{Template, entries, show};

/// Values of the template's parameters, by name.
pub type Parameters = BTreeMap<String, String>;

/// Resolves values of one template for one set of parameters.
#[derive(Debug)]
pub struct Resolver<'a> {
    template: &'a Template,
    parameters: &'a Parameters,
}

impl<'a> Resolver<'a> {
    /// For all parameters of `template`.
    #[must_use]
    pub fn new(template: &'a Template, parameters: &'a Parameters) -> Self {
        Self {
            template,
            parameters,
        }
    }

    /// `value` without functions; `None` for `!Ref AWS::NoValue`.
    ///
    /// # Errors
    /// What cannot be resolved: an unknown name, function or condition.
    pub fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        Ok(Some(match value {
            Value::Tagged(tagged) => return self.call(tagged),
            Value::Sequence(items) => Value::Sequence(self.all(items)?),
            Value::Mapping(mapping) => {
                let mut resolved = Mapping::new();
                for (name, value) in mapping {
                    if let Some(value) = self.resolve(value)? {
                        resolved.insert(name.clone(), value);
                    }
                }
                Value::Mapping(resolved)
            }
            plain => plain.clone(),
        }))
    }

    /// Whether a condition of the template holds.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn condition(&self, name: &str) -> Result<bool, String> {
        let conditions = &self.template.0["Conditions"];
        let written = conditions
            .get(name)
            .ok_or_else(|| format!("there is no condition {name}"))?;
        self.truth(written)
    }

    /// Whether an expression of a condition or a rule holds.
    ///
    /// # Errors
    /// When it is something else than true or false.
    pub fn truth(&self, value: &Value) -> Result<bool, String> {
        match self.resolve(value)? {
            Some(Value::Bool(holds)) => Ok(holds),
            other => Err(format!(
                "{} is {}, must be true or false",
                show(value),
                show(&other.unwrap_or_default())
            )),
        }
    }

    fn call(&self, tagged: &TaggedValue) -> Result<Option<Value>, String> {
        let name = tagged.tag.to_string();
        let given = &tagged.value;
        Ok(Some(match name.as_str() {
            "!Ref" => {
                let name = text(given)?;
                if name == "AWS::NoValue" {
                    return Ok(None);
                }
                Value::String(self.reference(&name)?)
            }
            "!GetAtt" => {
                let path = text(given)?;
                self.reference(path.split('.').next().unwrap_or_default())?;
                Value::String(format!("${{{path}}}"))
            }
            "!Sub" => Value::String(self.substitute(given)?),
            "!Condition" => Value::Bool(self.condition(&text(given)?)?),
            "!If" => {
                let [condition, then, otherwise] = arguments(&name, given)?;
                let taken = if self.condition(&text(condition)?)? {
                    then
                } else {
                    otherwise
                };
                return self.resolve(taken);
            }
            "!Equals" => {
                let [left, right] = arguments(&name, given)?;
                Value::Bool(self.one(left)? == self.one(right)?)
            }
            "!Not" => {
                let [inner] = arguments(&name, given)?;
                Value::Bool(!self.truth(inner)?)
            }
            "!And" => Value::Bool(self.truths(given)?.into_iter().all(|holds| holds)),
            "!Or" => Value::Bool(self.truths(given)?.into_iter().any(|holds| holds)),
            "!Contains" => {
                let [list, item] = arguments(&name, given)?;
                Value::Bool(self.list(list)?.contains(&self.one(item)?))
            }
            "!Join" => {
                let [glue, parts] = arguments(&name, given)?;
                let parts: Vec<_> = self.list(parts)?.iter().map(show).collect();
                Value::String(parts.join(&text(glue)?))
            }
            "!Split" => {
                let [separator, whole] = arguments(&name, given)?;
                let (separator, whole) = (text(separator)?, text(&self.one(whole)?)?);
                Value::Sequence(whole.split(&separator).map(Value::from).collect())
            }
            "!Select" => {
                let [index, list] = arguments(&name, given)?;
                let index = index.as_u64().and_then(|n| usize::try_from(n).ok());
                let list = self.list(list)?;
                let found = index.and_then(|n| list.get(n)).cloned();
                found.ok_or_else(|| format!("{} selects nothing", show(given)))?
            }
            other => return Err(format!("function {other} is not known here")),
        }))
    }

    /// A parameter's value, or the name of a resource or of a fact that only AWS knows.
    fn reference(&self, name: &str) -> Result<String, String> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        if name.starts_with("AWS::") || self.template.has_resource(name) {
            return Ok(format!("${{{name}}}"));
        }
        Err(format!("{name} is neither a parameter nor a resource"))
    }

    /// `!Sub "text ${Name}"` or `!Sub ["text ${Name}", {Name: value}]`.
    fn substitute(&self, given: &Value) -> Result<String, String> {
        let (pattern, own) = match given {
            Value::Sequence(_) => {
                let [pattern, own] = arguments("!Sub", given)?;
                (text(pattern)?, self.one(own)?)
            }
            plain => (text(plain)?, Value::Null),
        };
        let mut result = String::new();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after
                .split_once('}')
                .ok_or_else(|| format!("a brace is not closed in {pattern}"))?;
            result.push_str(before);
            if let Some((_, value)) = entries(own.as_mapping()).find(|(own, _)| *own == name) {
                result.push_str(&show(value));
            } else if let Some((resource, _)) = name.split_once('.') {
                self.reference(resource)?;
                result.extend(["${", name, "}"]);
            } else {
                result.push_str(&self.reference(name)?);
            }
            rest = behind;
        }
        result.push_str(rest);
        Ok(result)
    }

    /// A value that must be there.
    fn one(&self, value: &Value) -> Result<Value, String> {
        self.resolve(value)?
            .ok_or_else(|| format!("{} is no value", show(value)))
    }

    fn list(&self, value: &Value) -> Result<Vec<Value>, String> {
        match self.one(value)? {
            Value::Sequence(items) => Ok(items),
            other => Err(format!("{} is no list", show(&other))),
        }
    }

    fn all(&self, items: &[Value]) -> Result<Vec<Value>, String> {
        items
            .iter()
            .filter_map(|item| self.resolve(item).transpose())
            .collect()
    }

    fn truths(&self, given: &Value) -> Result<Vec<bool>, String> {
        let items = given.as_sequence().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| self.truth(item)).collect()
    }
}

fn text(value: &Value) -> Result<String, String> {
    let found = value.as_str().map(str::to_owned);
    found.ok_or_else(|| format!("{} is no text", show(value)))
}

/// Exactly `N` arguments.
fn arguments<'v, const N: usize>(name: &str, given: &'v Value) -> Result<[&'v Value; N], String> {
    let items: Vec<_> = given.as_sequence().into_iter().flatten().collect();
    let found = items.len();
    items
        .try_into()
        .map_err(|_| format!("{name} takes {N} arguments, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters: {Name: {Type: String}, Arn: {Type: String}}
Conditions:
  HasName: !Not [!Equals [!Ref Name, ""]]
  HasBoth: !And [!Condition HasName, !Not [!Equals [!Ref Arn, ""]]]
Resources: {Queue: {Type: "AWS::SQS::Queue"}}
"#;

    fn resolve(value: &str, name: &str) -> Result<Option<Value>, String> {
        let template = Template::parse(TEMPLATE).unwrap();
        let parameters = Parameters::from([
            ("Name".to_owned(), name.to_owned()),
            ("Arn".to_owned(), "a:b:c".to_owned()),
        ]);
        let value = serde_norway::from_str(value).unwrap();
        Resolver::new(&template, &parameters).resolve(&value)
    }

    #[test]
    fn functions_give_what_cloudformation_would() {
        for (written, expected) in [
            ("!Ref Name", "n"),
            ("!Ref Queue", "${Queue}"),
            ("!GetAtt Queue.Arn", "${Queue.Arn}"),
            (
                "!Sub '${AWS::Region}/${Name}/${Queue.Arn}'",
                "${AWS::Region}/n/${Queue.Arn}",
            ),
            (
                "!Sub ['${X}-${Name}', {X: !Select [1, !Split [':', !Ref Arn]]}]",
                "b-n",
            ),
            ("!Join ['/', [!Ref Name, b]]", "n/b"),
            ("!If [HasBoth, yes, no]", "yes"),
            ("!Or [!Condition HasName, !Equals [a, b]]", "true"),
            ("!Contains [[a, n], !Ref Name]", "true"),
            ("[a, !If [HasName, !Ref AWS::NoValue, b]]", "[a]"),
            ("{a: !Ref AWS::NoValue, b: c}", "{b: c}"),
        ] {
            let found = resolve(written, "n").unwrap().unwrap();
            assert_eq!(show(&found), expected, "{written}");
        }
        assert_eq!(
            resolve("!If [HasName, a, !Ref AWS::NoValue]", "").unwrap(),
            None
        );
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (written, part) in [
            ("!Ref Nobody", "Nobody is neither"),
            ("!GetAtt Nobody.Arn", "Nobody is neither"),
            ("!Sub '${Nobody}'", "Nobody is neither"),
            ("!If [Never, a, b]", "no condition Never"),
            ("!Base64 a", "!Base64"),
            ("!Not [a]", "must be true or false"),
            ("!Select [9, [a]]", "selects nothing"),
            ("!Equals [a]", "takes 2 arguments, found 1"),
        ] {
            let error = resolve(written, "n").unwrap_err();
            assert!(error.contains(part), "{written}: {error}");
        }
    }
}
