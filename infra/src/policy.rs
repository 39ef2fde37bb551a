//! Every permission the functions have.

use serde_norway::Value;

use crate::template::{Template, items, show};

/// One line a statement: function, sid, actions, resources.
#[must_use]
pub fn lines(template: &Template) -> Vec<String> {
    template
        .of_type("AWS::Serverless::Function")
        .flat_map(|(function, properties)| {
            statements(properties)
                .into_iter()
                .map(move |statement| line(function, statement))
        })
        .collect()
}

/// The statements of a function's own policies.
pub(crate) fn statements(properties: &Value) -> Vec<&Value> {
    items(&properties["Policies"])
        .into_iter()
        .flat_map(|policy| items(&policy["Statement"]))
        .collect()
}

fn line(function: &str, statement: &Value) -> String {
    let joined = |field: &str| {
        let parts: Vec<_> = items(&statement[field]).into_iter().map(show).collect();
        parts.join(" ")
    };
    format!(
        "{function} {} {}: {} on {}",
        show(&statement["Effect"]),
        show(&statement["Sid"]),
        joined("Action"),
        joined("Resource"),
    )
}
