//! What the crates link, in cargo's own view of the tree: who may import whom (docs/ARCHITECTURE.md), and
//! whose logs the functions show.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex_lite::Regex;

/// All crates that `package` links, as cargo resolves it alone: `name version (folder)`, the last for
/// those of the workspace.
fn tree(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Their names.
fn linked(package: &str) -> Vec<String> {
    let tree = tree(package).into_iter();
    tree.filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

/// The crates of the workspace that `package` links, itself among them, and that log.
fn logging(package: &str) -> BTreeSet<String> {
    let parts = Regex::new(r"^(\S+) v\S+ \((/[^)]+)\)").unwrap();
    let mut found = BTreeSet::new();
    for line in tree(package) {
        let Some(parts) = parts.captures(&line) else {
            continue;
        };
        let manifest = std::fs::read_to_string(Path::new(&parts[2]).join("Cargo.toml")).unwrap();
        let dependencies = manifest
            .split("\n[")
            .find(|table| table.starts_with("dependencies]"));
        let logs = |line: &str| line.split(['.', ' ']).next() == Some("tracing");
        if dependencies.is_some_and(|table| table.lines().any(logs)) {
            found.insert(parts[1].replace('-', "_"));
        }
    }
    found
}

#[test]
fn the_domain_knows_no_aws_sdk() {
    let crates = linked("bridge-core");
    assert!(crates.iter().any(|c| c == "serde"), "the tree was read");
    let sdk: Vec<_> = crates.iter().filter(|c| c.starts_with("aws-")).collect();
    assert!(sdk.is_empty(), "{sdk:?}");
}

#[test]
fn realtime_links_nothing_of_the_history_path() {
    let crates = linked("realtime");
    assert!(
        crates.iter().any(|c| c == "aws-sdk-sqs"),
        "the tree was read"
    );
    for banned in ["bridge-history", "parquet", "aws-sdk-lambda"] {
        assert!(
            !crates.iter().any(|c| c == banned),
            "realtime links {banned}"
        );
    }
}

/// At `LOG_LEVEL=debug` a crate that the filter does not name would say nothing below a warning.
#[test]
fn the_log_filter_names_every_crate_of_ours_that_logs() {
    let logging: BTreeSet<_> = ["realtime", "reseed", "s3-sqs-bridge"]
        .iter()
        .flat_map(|f| logging(f))
        .collect();
    assert!(logging.len() > 3, "the tree was read: {logging:?}");
    let named = Regex::new(r#"(?m)^\s+"(\w+)",$"#).unwrap();
    let filter = include_str!("../../crates/aws/src/logging.rs");
    let named: BTreeSet<_> = named
        .captures_iter(filter)
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(named, logging);
}
