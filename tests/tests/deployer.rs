//! What `CloudFormation` gets: the template behind SAM's own transform; and what who deploys it may do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What `transformed.py` prints.
#[derive(Deserialize)]
struct Transformed {
    given: BTreeSet<String>,
    resources: BTreeMap<String, String>,
    needed: BTreeMap<String, BTreeSet<String>>,
}

fn transformed() -> Transformed {
    let output = Command::new("python3")
        .args(["tests/transformed.py", "template.yaml"])
        .current_dir(ROOT)
        // SAM's transform asks for the partition of a region.
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .output()
        .expect("this test needs the pinned tools: run it with `cargo xtask test`");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Statement ids of the deployer's policy that are about SAM's and `CloudFormation`'s own work, not about resources.
const ABOUT_THE_WAY: [&str; 5] = [
    "Stack",
    "Transform",
    "SummarizeTemplate",
    "SamStack",
    "SamBucket",
];

/// Services that the registry names for features which the template does not use. `kms` is for the key of
/// `KmsKeyArn`: docs/OPERATIONS.md, "Who needs what".
const OTHER_SERVICES: [&str; 8] = [
    "ec2:",
    "elasticfilesystem:",
    "s3files:",
    "kinesis:",
    "s3tables:",
    "firehose:",
    "kms:",
    "iam:CreateServiceLinkedRole",
];

/// Actions for properties that the template does not set, by what they are about.
const UNUSED: &[(&str, &[&str])] = &[
    (
        "users, groups and managed policies",
        &[
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:DeleteGroupPolicy",
            "iam:DeleteUserPolicy",
            "iam:GetGroupPolicy",
            "iam:GetUserPolicy",
            "iam:PutGroupPolicy",
            "iam:PutUserPolicy",
        ],
    ),
    (
        "code signing, layers, capacity, scaling and run-time versions of functions",
        &[
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:GetLayerVersion",
            "lambda:PassCapacityProvider",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PutRuntimeManagementConfig",
        ],
    ),
    (
        "replicas, imports, insights and contents of tables",
        &[
            "dynamodb:AssociateTableReplica",
            "dynamodb:BatchWriteItem",
            "dynamodb:CreateTableReplica",
            "dynamodb:DeleteItem",
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:DescribeImport",
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:GetItem",
            "dynamodb:ImportTable",
            "dynamodb:PutItem",
            "dynamodb:PutResourcePolicy",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateItem",
            "dynamodb:UpdateKinesisStreamingDestination",
        ],
    ),
    (
        "delivery, indexes, protection and policies of logs",
        &[
            "logs:CreateLogDelivery",
            "logs:CreateLogStream",
            "logs:DeleteDataProtectionPolicy",
            "logs:DeleteIndexPolicy",
            "logs:DeleteResourcePolicy",
            "logs:DescribeLogStreams",
            "logs:PutBearerTokenAuthentication",
            "logs:PutDataProtectionPolicy",
            "logs:PutIndexPolicy",
            "logs:PutLogEvents",
            "logs:PutLogGroupDeletionProtection",
            "logs:PutResourcePolicy",
            "s3:REST.PUT.OBJECT",
        ],
    ),
    (
        "what the template's buckets do not have, and objects",
        &[
            "S3:GetBucketWebsite",
            "s3:CreateBucketMetadataTableConfiguration",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
            "s3:DeleteBucketMetadataTableConfiguration",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketReplication",
            "s3:DeleteBucketWebsite",
            "s3:DeleteObject",
            "s3:GetAccelerateConfiguration",
            "s3:GetAnalyticsConfiguration",
            "s3:GetBucketAbac",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketMetadataTableConfiguration",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetIntelligentTieringConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetMetricsConfiguration",
            "s3:GetObjectMetadata",
            "s3:GetReplicationConfiguration",
            "s3:PutAccelerateConfiguration",
            "s3:PutAnalyticsConfiguration",
            "s3:PutBucketAbac",
            "s3:PutBucketAcl",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketReplication",
            "s3:PutBucketWebsite",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:PutObjectAcl",
            "s3:PutObjectLockConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:UpdateBucketMetadataAnnotationTableConfiguration",
            "s3:UpdateBucketMetadataInventoryTableConfiguration",
            "s3:UpdateBucketMetadataJournalTableConfiguration",
        ],
    ),
];

/// The program's objects are read from SAM's bucket, which `SamBucket` allows.
const READS_THE_PROGRAM: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];

#[test]
fn what_sam_makes_has_names_of_its_own() {
    let transformed = transformed();
    let made: BTreeSet<_> = transformed.resources.keys().cloned().collect();
    let twice: Vec<_> = made.intersection(&transformed.given).collect();
    assert_eq!(
        twice,
        Vec::<&String>::new(),
        "parameters, rules and resources"
    );
    // The transform's own.
    for kind in [
        "AWS::Lambda::Function",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Scheduler::Schedule",
    ] {
        assert!(
            transformed.resources.values().any(|of| of == kind),
            "{kind}"
        );
    }
    assert!(
        !transformed
            .resources
            .values()
            .any(|of| of.starts_with("AWS::Serverless"))
    );
}

#[test]
fn who_deploys_may_do_what_the_resources_need_and_no_more() {
    let text = std::fs::read_to_string(format!("{ROOT}/docs/policies/deployer.json")).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    let allowed: BTreeSet<String> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| !ABOUT_THE_WAY.contains(&statement["Sid"].as_str().unwrap()))
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        })
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let registry: BTreeSet<String> = transformed().needed.into_values().flatten().collect();

    for service in OTHER_SERVICES {
        let named = registry.iter().any(|action| action.starts_with(service));
        assert!(named, "{service} is not in the registry's lists any more");
    }
    let unused: BTreeSet<&str> = UNUSED
        .iter()
        .flat_map(|(_, actions)| *actions)
        .copied()
        .collect();
    let unused: BTreeSet<&str> = unused.into_iter().chain(READS_THE_PROGRAM).collect();
    for action in &unused {
        assert!(
            registry.contains(*action),
            "{action} is not in the registry's lists any more"
        );
    }
    let needed: BTreeSet<String> = registry
        .into_iter()
        .filter(|action| {
            !OTHER_SERVICES
                .iter()
                .any(|service| action.starts_with(service))
        })
        .filter(|action| !unused.contains(action.as_str()))
        .collect();
    let missing: Vec<_> = needed.difference(&allowed).collect();
    assert_eq!(missing, Vec::<&String>::new(), "needed, not allowed");
    let superfluous: Vec<_> = allowed.difference(&needed).collect();
    assert_eq!(superfluous, Vec::<&String>::new(), "allowed, not needed");
}
