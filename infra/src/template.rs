//! The template as a tree of values. Intrinsic functions (`!Ref`, `!GetAtt`, `!Sub` …) are tagged
//! values.

use serde_norway::Value;

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template(pub Value);

impl Template {
    /// Parses YAML.
    ///
    /// # Errors
    /// When it is no YAML.
    pub fn parse(text: &str) -> Result<Self, serde_norway::Error> {
        serde_norway::from_str(text).map(Self)
    }

    /// The resources of a type, by logical id.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0["Resources"]
            .as_mapping()
            .into_iter()
            .flatten()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .filter_map(|(id, resource)| Some((id.as_str()?, &resource["Properties"])))
    }

    /// The properties of a resource; null if there is none.
    #[must_use]
    pub fn properties(&self, id: &str) -> &Value {
        &self.0["Resources"][id]["Properties"]
    }
}

/// Writes a value in one line, intrinsic functions as in the template: `!GetAtt Queue.Arn`.
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        Value::Sequence(items) => {
            let shown: Vec<_> = items.iter().map(show).collect();
            format!("[{}]", shown.join(", "))
        }
        Value::Mapping(map) => {
            let shown: Vec<_> = map
                .iter()
                .map(|(k, v)| format!("{}: {}", show(k), show(v)))
                .collect();
            format!("{{{}}}", shown.join(", "))
        }
        Value::Tagged(tagged) => format!("{} {}", tagged.tag, show(&tagged.value)),
    }
}

/// The logical id that `!Ref X` or `!GetAtt X.Arn` names.
#[must_use]
pub fn target(value: &Value) -> Option<&str> {
    let Value::Tagged(tagged) = value else {
        return None;
    };
    if tagged.tag == "Ref" || tagged.tag == "GetAtt" {
        return tagged.value.as_str()?.split('.').next();
    }
    None
}

/// A list, or one value in its place.
#[must_use]
pub fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Sequence(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
