//! The corpus of dialects: what servers write as notifications, and what is right.
//!
//! A case is a file in `fixtures/dialects/notifications`: `why` it is here, the `input` that Lambda
//! hands over, and what is `expected`: the `events` as `format = bridge` writes them, the reasons of
//! what is `skipped`, a part of the error of each record that is `refused`, and whether the events
//! have no order of their own (`lacksOrder`). Other fields are not known. A new case costs a file.

use bridge_core::event::Event;
use bridge_core::notification::document::Document;
use bridge_core::notification::error::NotificationError;
use bridge_core::notification::{Input, parse_input};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    why: String,
    input: Value,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expected {
    #[serde(default)]
    events: Vec<Value>,
    #[serde(default)]
    skipped: Vec<String>,
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    lacks_order: bool,
}

/// All documents of an input as one, batches in their order.
fn read(input: &Value) -> Document {
    let mut all = Document::default();
    let mut add = |document: Result<Document, NotificationError>| match document {
        Ok(document) => {
            all.events.extend(document.events);
            all.skipped.extend(document.skipped);
            all.unreadable.extend(document.unreadable);
            all.lacks_order |= document.lacks_order;
        }
        Err(error) => all.unreadable.push(error),
    };
    match parse_input(input) {
        Ok(Input::Direct(document)) => add(Ok(document)),
        Ok(Input::Batch(messages)) => messages.into_iter().for_each(|m| add(m.document)),
        Err(error) => add(Err(error)),
    }
    all
}

#[test]
fn every_dialect_is_read_as_its_case_says() {
    let folder = format!(
        "{}/tests/fixtures/dialects/notifications",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let case: Case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        cases += 1;
        let found = read(&case.input);
        let written = |event: &Event| serde_json::to_value(event).unwrap();
        let events: Vec<Value> = found.events.iter().map(written).collect();
        let skipped: Vec<_> = found.skipped.iter().map(|s| s.reason.as_str()).collect();
        let errors: Vec<_> = found.unreadable.iter().map(ToString::to_string).collect();
        let refused = errors.len() == case.expected.refused.len()
            && errors
                .iter()
                .zip(&case.expected.refused)
                .all(|(error, part)| error.contains(part));
        if events != case.expected.events
            || skipped != case.expected.skipped
            || !refused
            || found.lacks_order != case.expected.lacks_order
        {
            wrong.push(format!(
                "{}: {}\n  events {events:#?}\n  skipped {skipped:?}\n  refused {errors:#?}\n  \
                 lacks order: {}",
                path.display(),
                case.why,
                found.lacks_order
            ));
        }
    }
    assert!(cases >= 40, "only {cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
