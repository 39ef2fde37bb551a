//! The parameters that change what is deployed, and every way to choose them together.

use crate::stack::{Stack, StackError};
use crate::template::Template;

/// A parameter, and values that differ in what they make.
pub type Choice = (&'static str, &'static [&'static str]);

/// One choice a parameter.
pub const CHOICES: [Choice; 11] = [
    ("ExistingBucket", &["", "ledger"]),
    ("Ingestion", &["direct", "buffered"]),
    ("LiveOrder", &["notified", "newest", "exact"]),
    (
        "ExistingQueueArn",
        &[
            "",
            "arn:aws:sqs:eu-west-1:123456789012:events.fifo",
            "arn:aws:sqs:eu-west-1:123456789012:events",
        ],
    ),
    (
        "ReplayQueueArn",
        &["", "arn:aws:sqs:eu-west-1:123456789012:replay.fifo"],
    ),
    ("ForeignPlans", &["", "plans/ledger"]),
    (
        "KmsKeyArn",
        &["", "arn:aws:kms:eu-west-1:123456789012:key/1"],
    ),
    (
        "FormerKmsKeyArn",
        &["", "arn:aws:kms:eu-west-1:123456789012:key/0"],
    ),
    ("RealtimeConcurrency", &["0", "5"]),
    (
        "AlarmTopicArn",
        &["", "arn:aws:sns:eu-west-1:123456789012:alarms"],
    ),
    ("Dashboard", &["false", "true"]),
];

/// The parameters of one deployment.
pub type Chosen = Vec<(&'static str, &'static str)>;

/// All of them: each value with each of the others.
#[must_use]
pub fn combinations() -> Vec<Chosen> {
    CHOICES
        .iter()
        .fold(vec![Vec::new()], |so_far, (name, values)| {
            so_far
                .iter()
                .flat_map(|chosen| {
                    values
                        .iter()
                        .map(|value| [&chosen[..], &[(*name, *value)]].concat())
                })
                .collect()
        })
}

/// What `template` makes of each combination.
///
/// # Errors
/// The first that cannot be deployed.
pub fn stacks(template: &Template) -> Result<Vec<(Chosen, Stack)>, StackError> {
    combinations()
        .into_iter()
        .map(|chosen| Ok((chosen.clone(), Stack::of(template, &chosen)?)))
        .collect()
}
