//! The metrics that the code counts are those that docs/OPERATIONS.md explains; alarms and the
//! dashboard watch no others.

use std::collections::BTreeSet;
use std::path::Path;

use infra::resources::Resource;
use infra::stack::Stack;
use infra::template::{Template, show};
use regex_lite::Regex;
use serde_norway::Value;

/// Names in `counter!("…")` and `histogram!("…")` below a folder.
fn counted(folder: &Path, names: &mut BTreeSet<String>) {
    let pattern = Regex::new(r#"(?:counter|histogram)!\("(\w+)""#).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            counted(&path, names);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            names.extend(
                pattern
                    .captures_iter(&text)
                    .map(|found| found[1].to_owned()),
            );
        }
    }
}

fn of_code() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for member in ["core", "history", "aws", "realtime", "reseed"] {
        let folder = format!("{}/../crates/{member}/src", env!("CARGO_MANIFEST_DIR"));
        counted(Path::new(&folder), &mut names);
    }
    names
}

#[test]
fn every_metric_is_explained() {
    let page = include_str!("../../docs/OPERATIONS.md");
    let table = page.split_once("| metric |").unwrap().1;
    let table = table.split_once("\n\n").unwrap().0;
    let pattern = Regex::new("`([A-Z][A-Za-z]+)`").unwrap();
    let cells = table.lines().filter_map(|line| line.split('|').nth(1));
    let explained: BTreeSet<String> = cells
        .flat_map(|cell| pattern.captures_iter(cell).map(|found| found[1].to_owned()))
        .collect();
    assert_eq!(of_code(), explained);
}

#[test]
fn alarms_and_dashboard_watch_what_is_counted() {
    let template = Template::parse(include_str!("../../template.yaml")).unwrap();
    let all = [
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms"),
        ("Dashboard", "true"),
        ("Ingestion", "buffered"),
    ];
    let stack = Stack::of(&template, &all).unwrap();
    let mut watched = BTreeSet::new();
    for resource in stack.resources.values() {
        match resource {
            Resource::Alarm(alarm) if alarm.namespace == "S3SqsBridge" => {
                watched.insert(alarm.metric_name.clone());
            }
            Resource::Dashboard(dashboard) => {
                // JSON is YAML.
                let body: Value = serde_norway::from_str(&dashboard.dashboard_body).unwrap();
                let widgets = body["widgets"].as_sequence().unwrap();
                assert_eq!(widgets.len(), 6);
                for widget in widgets {
                    let metrics = widget["properties"]["metrics"].as_sequence().unwrap();
                    let ours = metrics.iter().filter(|m| m[0] == "S3SqsBridge");
                    watched.extend(ours.map(|metric| show(&metric[1])));
                }
            }
            _ => {}
        }
    }
    let unknown: Vec<_> = watched.difference(&of_code()).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
    assert!(watched.len() > 10, "{watched:?}");
}
