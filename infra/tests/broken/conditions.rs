//! Every condition of every policy, found in the template and broken in each way: a rule must look at it, since the servers of
//! the tests do not.

use serde_norway::Value;

use crate::{break_at, findings, template};

/// The places of all conditions below `place`; that of a resource is a name.
fn conditions(place: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match place {
        Value::Tagged(tagged) => conditions(&tagged.value, path, found),
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                conditions(item, &format!("{path}/{index}"), found);
            }
        }
        Value::Mapping(map) => {
            for (name, value) in map {
                let below = format!("{path}/{}", name.as_str().unwrap_or_default());
                if name == "Condition" && value.is_mapping() {
                    found.push((below, value.clone()));
                } else {
                    conditions(value, &below, found);
                }
            }
        }
        _ => {}
    }
}

/// The only entry of a mapping.
fn only(map: &Value) -> (&Value, &Value) {
    let map = map.as_mapping().unwrap();
    assert_eq!(map.len(), 1, "{map:?}");
    map.iter().next().unwrap()
}

fn condition(operator: &Value, key: &Value, values: &Value) -> Value {
    let one = |name: &Value, value: Value| {
        let mut map = serde_norway::Mapping::new();
        map.insert(name.clone(), value);
        Value::Mapping(map)
    };
    one(operator, one(key, values.clone()))
}

#[test]
fn each_condition_is_looked_at_by_a_rule() {
    let mut all = Vec::new();
    conditions(&template().0["Resources"], "Resources", &mut all);
    assert!(all.len() >= 14, "{}", all.len());
    let mut missed = Vec::new();
    for (path, written) in &all {
        let (operator, keys) = only(written);
        let (key, values) = only(keys);
        let other: Value = "other".into();
        let other = match values {
            Value::Sequence(_) => Value::Sequence(vec![other]),
            _ => other,
        };
        let another_operator = condition(&"StringNotEquals".into(), key, values);
        let another_key = condition(operator, &"aws:PrincipalTag/a".into(), values);
        for (what, broken) in [
            ("removed", None),
            ("another operator", Some(another_operator)),
            ("another key", Some(another_key)),
            ("another value", Some(condition(operator, key, &other))),
        ] {
            if findings(&break_at(path, broken)).is_empty() {
                missed.push(format!("{path}: {what}"));
            }
        }
    }
    assert_eq!(
        missed,
        Vec::<String>::new(),
        "conditions that no rule looks at"
    );
}
