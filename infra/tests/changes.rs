//! A deployment with another choice loses nothing, and the documentation says of each parameter what changing it does.

use std::collections::BTreeSet;

use infra::changes::losses;
use infra::choices::{CHOICES, Chosen, combinations};
use infra::stack::Stack;
use infra::template::Template;

fn template(change: impl Fn(String) -> String) -> Template {
    Template::parse(&change(include_str!("../../template.yaml").to_owned())).unwrap()
}

/// Those that move data or who may read it; the others come one at a time.
fn looked_at(chosen: &Chosen) -> bool {
    let fixed = [
        ("AlarmTopicArn", ""),
        ("Dashboard", "false"),
        ("ReplayQueueArn", ""),
        ("ForeignPlans", ""),
        ("FormerKmsKeyArn", ""),
        ("RealtimeConcurrency", "0"),
    ];
    fixed.iter().all(|one| chosen.contains(one))
}

/// What every change of one choice loses, whatever the others are.
fn all_losses(template: &Template) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for chosen in combinations().iter().filter(|chosen| looked_at(chosen)) {
        let before = Stack::of(template, chosen).unwrap();
        for (index, (name, values)) in CHOICES.iter().enumerate() {
            for value in values.iter().filter(|value| chosen[index].1 != **value) {
                let mut other = chosen.clone();
                other[index] = (name, value);
                let after = Stack::of(template, &other).unwrap();
                found.extend(losses(&before, &after));
            }
        }
    }
    found
}

#[test]
fn no_change_of_a_choice_loses_anything() {
    assert_eq!(all_losses(&template(|text| text)), BTreeSet::new());
}

#[test]
fn a_template_that_would_lose_something_is_found_out() {
    let kept = "    DeletionPolicy: RetainExceptOnCreate\n";
    let queue = "  Queue:\n    Type: AWS::SQS::Queue\n    Condition: MakesQueue\n";
    let fills = "          - !If\n            - MakesBucket\n            - Sid: BucketFillsBuffer";
    let permission = "    Type: AWS::Lambda::Permission\n    Condition: WatchesBucket\n";
    for (written, instead, part) in [
        (
            format!("{queue}{kept}"),
            queue.to_owned(),
            "Queue is deleted with what it holds",
        ),
        (
            fills.to_owned(),
            fills.replace("MakesBucket", "IsBuffered"),
            "s3.amazonaws.com still tells BufferQueue",
        ),
        (
            permission.to_owned(),
            permission.replace("WatchesBucket", "IsDirectFromWatched"),
            "events.amazonaws.com still tells Realtime",
        ),
        (
            "QueueName: !Sub \"${AWS::StackName}-events.fifo\"".to_owned(),
            "QueueName: !Sub \"${AWS::StackName}-${Ingestion}.fifo\"".to_owned(),
            "Queue is made anew",
        ),
        (
            "Action: [\"sqs:ReceiveMessage\"".to_owned(),
            "Action: [\"sqs:DeleteMessage\"".to_owned(),
            "pollers lose their leave",
        ),
    ] {
        let broken = template(|text| {
            assert_eq!(text.matches(&written).count(), 1, "{written}");
            let text = text.replace(&written, &instead);
            text.replace(
                "Conditions:\n",
                "Conditions:\n  IsDirectFromWatched: !And [!Condition WatchesBucket, !Not [!Condition IsBuffered]]\n",
            )
        });
        let found = all_losses(&broken);
        assert!(found.iter().any(|f| f.contains(part)), "{part}: {found:?}");
    }
}

#[test]
fn the_documentation_says_of_each_parameter_what_changing_it_does() {
    let page = include_str!("../../docs/CHANGING.md");
    let table = page.split_once("| parameter |").unwrap().1;
    let table = table.split_once("\n\n").unwrap().0;
    let cells = table.lines().filter_map(|line| line.split('|').nth(1));
    let listed: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let template = template(|text| text);
    let parameters = template.section("Parameters").map(|(name, _)| name);
    assert_eq!(listed, parameters.collect());
    for row in table.lines().skip(2) {
        let kind = row.split('|').nth(2).unwrap().trim();
        assert!(["safe", "steps", "refused"].contains(&kind), "{row}");
    }
}
