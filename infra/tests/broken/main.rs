//! A broken copy of the template for each rule is caught.

mod alarms;
mod conditions;
mod follow;
mod functions;
mod ingestion;
mod kept;
mod live;
mod permissions;
mod queues;
mod storage;
mod told;

use std::collections::BTreeSet;

use infra::choices::{Chosen, combinations};
use infra::rules::RULES;
use infra::stack::Stack;
use infra::template::Template;
use serde_norway::Value;

/// A place in a broken copy, what is written there (`-`: it is removed), and what is found.
type Broken = (&'static str, &'static str, &'static str);

/// By the room of the rule that catches them (`infra/src/rules`).
const KINDS: [&[Broken]; 10] = [
    storage::BROKEN,
    permissions::BROKEN,
    queues::BROKEN,
    functions::BROKEN,
    ingestion::BROKEN,
    kept::BROKEN,
    live::BROKEN,
    follow::BROKEN,
    told::BROKEN,
    alarms::BROKEN,
];

fn template() -> Template {
    Template::parse(include_str!("../../../template.yaml")).unwrap()
}

/// Sets the value at a path (`Resources/Bucket/Properties/…`), or removes it.
fn break_at(path: &str, value: Option<Value>) -> Template {
    let mut template = template();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let mut place = &mut template.0;
    for step in parent.split('/') {
        while let Value::Tagged(function) = place {
            place = &mut function.value;
        }
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    while let Value::Tagged(function) = place {
        place = &mut function.value;
    }
    let found = match name.parse::<usize>() {
        Ok(index) => place.get(index),
        Err(_) => place.get(name),
    };
    assert!(found.is_some(), "the template has nothing at {path}");
    match (value, place) {
        (Some(value), Value::Mapping(map)) => drop(map.insert(name.into(), value)),
        (Some(value), place) => place[name.parse::<usize>().unwrap()] = value,
        (None, Value::Mapping(map)) => drop(map.remove(name)),
        (None, Value::Sequence(list)) => drop(list.remove(name.parse().unwrap())),
        (None, other) => panic!("{other:?} has no parts"),
    }
    template
}

/// Every rule that finds something for some choice of parameters, with what it finds; or why the
/// template cannot be deployed. Parameters that no rule looks at keep one value.
fn findings(template: &Template) -> BTreeSet<(&'static str, String)> {
    let looked_at = |chosen: &Chosen| {
        [
            ("Dashboard", "true"),
            ("ReplayQueueArn", ""),
            ("ForeignPlans", "plans/ledger"),
            ("RealtimeConcurrency", "5"),
        ]
        .iter()
        .all(|fixed| chosen.contains(fixed))
        // Alarms and the live table have nothing in common: one comes with the other, to save time.
        && chosen.contains(&("LiveOrder", "notified")) == chosen.contains(&("AlarmTopicArn", ""))
        && (!chosen.contains(&("LiveOrder", "exact")) || chosen.contains(&("KmsKeyArn", "")))
        && chosen.contains(&("KmsKeyArn", "")) == chosen.contains(&("FormerKmsKeyArn", ""))
    };
    let mut found = BTreeSet::new();
    for chosen in combinations().iter().filter(|chosen| looked_at(chosen)) {
        match Stack::of(template, chosen) {
            Ok(stack) => found.extend(
                RULES
                    .iter()
                    .flat_map(|(name, rule)| rule(&stack).into_iter().map(move |f| (*name, f))),
            ),
            Err(error) => drop(found.insert(("", error.to_string()))),
        }
    }
    found
}

#[test]
fn broken_copies_are_caught_and_every_rule_catches_one() {
    let mut silent: BTreeSet<_> = RULES.iter().map(|(name, _)| *name).collect();
    let mut missed = Vec::new();
    for (path, value, part) in KINDS.concat() {
        let value = (value != "-").then(|| serde_norway::from_str(value).unwrap());
        let found = findings(&break_at(path, value));
        if !found.iter().any(|(_, f)| f.contains(part)) {
            missed.push(format!("{path} ({part}): {found:?}"));
        }
        for (rule, _) in &found {
            silent.remove(rule);
        }
    }
    assert_eq!(
        missed,
        Vec::<String>::new(),
        "copies whose fault is not found"
    );
    assert_eq!(silent, BTreeSet::new(), "rules that no broken copy breaks");
}
