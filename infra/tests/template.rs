//! The real template keeps all rules, however its parameters are chosen.

use std::collections::BTreeSet;

use infra::choices::stacks;
use infra::policy;
use infra::resources::Resource;
use infra::rules::check;
use infra::stack::{Stack, StackError};
use infra::template::Template;

fn template() -> Template {
    Template::parse(include_str!("../../template.yaml")).unwrap()
}

#[test]
fn the_template_keeps_all_rules_for_every_choice_of_parameters() {
    let stacks = stacks(&template()).unwrap();
    assert_eq!(stacks.len(), 4608);
    for (chosen, stack) in stacks {
        assert_eq!(check(&stack), Vec::<String>::new(), "{chosen:?}");
    }
}

#[test]
fn the_readme_lists_every_parameter() {
    let readme = include_str!("../../README.md");
    let table = readme.split_once("| parameter |").unwrap().1;
    let table = table.split_once("\n\n").unwrap().0;
    let cells = table.lines().filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let template = template();
    let parameters = template.section("Parameters").map(|(name, _)| name);
    assert_eq!(listed, parameters.collect());
}

/// Source: AWS `CloudFormation` User Guide, "Template anatomy": logical names are unique within a template.
#[test]
fn no_name_is_used_twice() {
    let template = template();
    let sections = ["Parameters", "Rules", "Conditions", "Resources"];
    let names = sections.iter().flat_map(|name| template.section(name));
    let mut seen = BTreeSet::new();
    let names = names.map(|(name, _)| name);
    let twice: Vec<_> = names.filter(|name| !seen.insert(*name)).collect();
    assert_eq!(twice, Vec::<&str>::new());
}

#[test]
fn the_console_shows_each_parameter_in_one_group() {
    let template = template();
    let groups = &template.0["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let groups = groups.as_sequence().unwrap().iter();
    let shown = groups.flat_map(|group| group["Parameters"].as_sequence().unwrap());
    let mut shown: Vec<_> = shown.map(|name| name.as_str().unwrap()).collect();
    shown.sort_unstable();
    let parameters: BTreeSet<_> = template
        .section("Parameters")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(shown, parameters.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_bucket_and_a_rule_tell_of_the_keys_that_realtime_takes() {
    for (prefix, suffix) in [("", ""), ("a/", ""), ("", ".csv"), ("a/", ".csv")] {
        for bucket in ["ledger", ""] {
            let chosen = [
                ("ExistingBucket", bucket),
                ("FilterAtSource", "true"),
                ("KeyPrefix", prefix),
                ("KeySuffix", suffix),
            ];
            let stack = Stack::of(&template(), &chosen).unwrap();
            assert_eq!(check(&stack), Vec::<String>::new(), "{chosen:?}");
            let asked = usize::from(!prefix.is_empty()) + usize::from(!suffix.is_empty());
            for (_, bucket) in stack.buckets().filter(|(id, _)| *id == "Bucket") {
                let told = &bucket.notification_configuration.lambda_configurations;
                let rules = told.iter().map(|told| told.filter.key.rules.len());
                assert_eq!(rules.collect::<Vec<_>>(), [asked; 3], "{chosen:?}");
            }
        }
    }
}

/// Not by itself: a deployment that fails could not take the table away.
#[test]
fn the_table_of_jobs_is_protected_once_that_is_asked_for() {
    for (chosen, expected) in [("false", false), ("true", true)] {
        let stack = Stack::of(&template(), &[("DeletionProtection", chosen)]).unwrap();
        let Resource::Table(table) = &stack.resources["CheckpointTable"] else {
            panic!("it is no table");
        };
        assert_eq!(table.deletion_protection_enabled, expected);
    }
}

#[test]
fn a_buffer_waits_for_the_longest_batch() {
    for window in ["0", "1", "9", "10", "300"] {
        let chosen = [
            ("Ingestion", "buffered"),
            ("BatchWindow", window),
            ("BatchSize", "10"),
        ];
        let stack = Stack::of(&template(), &chosen).unwrap();
        assert_eq!(check(&stack), Vec::<String>::new(), "{window}");
    }
}

#[test]
fn every_permission_is_one_that_somebody_decided_on() {
    let found = policy::lines(&stacks(&template()).unwrap()).join("\n") + "\n";
    let golden = include_str!("../policies.golden.txt");
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (new, gone) = (lines(&found), lines(golden));
    let difference: Vec<_> = new
        .difference(&gone)
        .map(|line| format!("+ {line}"))
        .chain(gone.difference(&new).map(|line| format!("- {line}")))
        .collect();
    assert!(
        found == golden,
        "what is allowed is not what infra/policies.golden.txt lists; \
         `cargo run -p infra -- policies` writes them if this is meant:\n{}",
        difference.join("\n")
    );
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let standard = "arn:aws:sqs:eu-west-1:123456789012:events";
    for (given, part) in [
        (
            &[("Order", "none")][..],
            "rule OrderNone: Order is none, but",
        ),
        (
            &[
                ("LiveOrder", "newest"),
                ("Order", "none"),
                ("ExistingQueueArn", standard),
            ],
            "rule LiveOrderNewest: LiveOrder is newest, but",
        ),
        (
            &[("LiveOrder", "exact"), ("Order", "bucket")],
            "rule LiveOrderExact: LiveOrder is exact, which",
        ),
        (
            &[("LiveOrder", "latest")],
            "parameter LiveOrder: \"latest\" is none of",
        ),
        (&[("BatchWindow", "0")], "rule BatchWithoutWindow"),
        (
            &[("Ingestion", "buffered"), ("RealtimeConcurrency", "1")],
            "rule BufferedConcurrency",
        ),
        (&[("BufferConcurrency", "1")], "rule BufferConcurrencyOfOne"),
        (&[("ReseedConcurrency", "1")], "rule ReseedConcurrencyOfOne"),
        (
            &[("Ingestion", "both")],
            "parameter Ingestion: \"both\" is none of",
        ),
        (
            &[("ExistingQueueArn", "events")],
            "must be empty or the ARN of an SQS queue",
        ),
        (
            &[("ExistingBucket", "Ledger")],
            "must be empty or the name of a bucket",
        ),
        (
            &[("KmsKeyArn", "alias/mine")],
            "must be empty or the ARN of a KMS key",
        ),
        (
            &[("LeaseSeconds", "5")],
            "parameter LeaseSeconds: 5 is out of bounds",
        ),
        (&[("LeaseSeconds", "long")], "\"long\" is no number"),
        (
            &[("Buffered", "yes")],
            "parameter Buffered: the template has none",
        ),
    ] {
        let error = Stack::of(&template(), given).unwrap_err().to_string();
        assert!(error.contains(part), "{given:?}: {error}");
    }
    for given in [
        &[("Order", "none"), ("ExistingQueueArn", standard)][..],
        &[("LiveOrder", "newest"), ("Order", "bucket")],
        &[("LiveOrder", "exact"), ("Order", "key")],
        &[("BatchWindow", "0"), ("BatchSize", "10")],
        &[("RealtimeConcurrency", "1")],
    ] {
        assert!(Stack::of(&template(), given).is_ok(), "{given:?}");
    }
}

#[test]
fn the_pollers_of_a_buffer_are_bounded_by_their_own_choice_or_by_the_reservation() {
    for (own, reserved, bound) in [
        ("0", "0", None),
        ("0", "5", Some("5")),
        ("4", "0", Some("4")),
        ("4", "5", Some("4")),
    ] {
        let chosen = [
            ("Ingestion", "buffered"),
            ("BufferConcurrency", own),
            ("RealtimeConcurrency", reserved),
        ];
        let stack = Stack::of(&template(), &chosen).unwrap();
        let Resource::Mapping(mapping) = &stack.resources["BufferMapping"] else {
            panic!("BufferMapping is no mapping")
        };
        let found = mapping
            .scaling_config
            .as_ref()
            .map(|s| s.maximum_concurrency.as_str());
        assert_eq!(found, bound, "{chosen:?}");
        assert_eq!(check(&stack), Vec::<String>::new(), "{chosen:?}");
    }
}

#[test]
fn a_resource_of_a_new_kind_is_named() {
    let mut template = template();
    template.0["Resources"]["Topic"] = serde_norway::from_str("Type: AWS::SNS::Topic").unwrap();
    let error = Stack::of(&template, &[]).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, StackError::Template { .. }) && text.contains("Topic"),
        "{text}"
    );
}
