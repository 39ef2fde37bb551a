//! `template.yaml` as it is written. Intrinsic functions (`!Ref`, `!GetAtt`, `!Sub` …) are tagged
//! values.

use serde_norway::{Mapping, Value};

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

    /// The entries of a section, in the order they are written; none if it is absent.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        entries(self.0.get(name).and_then(Value::as_mapping))
    }

    /// Whether a resource of this logical id is written down, deployed or not.
    #[must_use]
    pub fn has_resource(&self, id: &str) -> bool {
        self.0["Resources"].get(id).is_some()
    }
}

/// The entries of a mapping whose names are text.
pub(crate) fn entries(mapping: Option<&Mapping>) -> impl Iterator<Item = (&str, &Value)> {
    mapping
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str()?, value)))
}

/// A value in one line, for messages.
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
