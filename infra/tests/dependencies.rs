//! Who may import whom (docs/ARCHITECTURE.md), told from cargo's own view of the tree.

use std::process::Command;

/// The names of all crates that `package` links, as cargo resolves it alone.
fn linked(package: &str) -> Vec<String> {
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
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_domain_knows_no_aws_sdk() {
    let crates = linked("bridge-core");
    assert!(crates.iter().any(|c| c == "serde"), "the tree was read");
    let sdk: Vec<_> = crates.iter().filter(|c| c.starts_with("aws-")).collect();
    assert!(sdk.is_empty(), "{sdk:?}");
}

#[test]
fn realtime_links_neither_parquet_nor_dynamodb() {
    let crates = linked("realtime");
    assert!(
        crates.iter().any(|c| c == "aws-sdk-sqs"),
        "the tree was read"
    );
    for banned in [
        "bridge-history",
        "parquet",
        "aws-sdk-dynamodb",
        "aws-sdk-s3",
        "aws-sdk-lambda",
    ] {
        assert!(
            !crates.iter().any(|c| c == banned),
            "realtime links {banned}"
        );
    }
}
