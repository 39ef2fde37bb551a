//! The functions under roles that have exactly the template's statements, on a moto that judges by them: each part of a
//! statement that is taken away must make something fail.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use bridge_aws::sdk;
use bridge_aws::sender::SqsClient;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::DYNAMODB;
use bridge_aws::stream::DynamoStream;
use bridge_core::listing::lister::Lister as _;
use bridge_core::live::stream::StreamStore as _;
use bridge_core::queue::port::Queue as _;
use e2e::permissions::judge::{Decision, Role};
use e2e::permissions::proof::{NotAsked, Tried, prove};
use e2e::permissions::stand_in::StandIn;
use e2e::permissions::uses::{
    PLANS, Realtime, Reseed, WATCHED, use_realtime, use_reseed, write_history,
};
use infra::resources::PolicyDocument;
use serde_json::json;

/// What Lambda and AWS's services do under a function's role, and its program does not.
const NOT_REALTIMES: &[NotAsked] = &[
    (
        "Log",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        "Lambda keeps what the program prints",
    ),
    (
        "Trace",
        &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Lambda sends traces",
    ),
    (
        "GiveUp",
        &["sqs:SendMessage"],
        "Lambda sends what failed to its destination",
    ),
    (
        "Buffer",
        &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
        "Lambda's pollers read the buffer",
    ),
];

const NOT_RESEEDS: &[NotAsked] = &[
    (
        "Log",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        "Lambda keeps what the program prints",
    ),
    (
        "Trace",
        &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Lambda sends traces",
    ),
    (
        "ReadStream",
        &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
        ],
        "Lambda's poller reads what happens to jobs",
    ),
    (
        "FindStream",
        &["dynamodb:ListStreams"],
        "Lambda's poller looks for the stream",
    ),
];

const NOT_THE_SCHEDULES: &[NotAsked] = &[(
    "Sweep",
    &["lambda:InvokeFunction"],
    "EventBridge Scheduler invokes",
)];

/// With `KmsKeyArn` and `FormerKmsKeyArn`.
const KEYS: &[NotAsked] = &[
    (
        "Encrypt",
        &["kms:Decrypt", "kms:GenerateDataKey"],
        "the services use the key for the role",
    ),
    (
        "ReadFormer",
        &["kms:Decrypt"],
        "the services use the key for the role",
    ),
];

/// The queue that jobs may be sent to besides.
async fn make_replay_queue(stand_in: &mut StandIn, name: &str) -> anyhow::Result<()> {
    let make = stand_in.sqs.create_queue().queue_name(name);
    let make = make.attributes(QueueAttributeName::FifoQueue, "true");
    let url = make.send().await?.queue_url.context("no URL")?;
    stand_in.names.insert("Replay".to_owned(), url);
    Ok(())
}

async fn tried<F>(
    stand_in: &StandIn,
    who: &str,
    policy: PolicyDocument,
    run: impl FnOnce(Role) -> F,
) -> Tried
where
    F: Future<Output = anyhow::Result<()>>,
{
    let role = stand_in.judge.role(who, &policy).unwrap();
    let failed = run(role.clone()).await.err();
    Tried {
        failed: failed.map(|error| format!("{error:#}")),
        asked: stand_in.judge.decisions(&role).unwrap(),
    }
}

/// Proves the policies of all roles of a stack.
async fn prove_stack(
    stand_in: &StandIn,
    realtime: &[Realtime],
    reseed: &[Reseed],
    keys: &[NotAsked],
) {
    let mut wrong = Vec::new();
    for (id, _) in stand_in.stack.roles() {
        let policy = stand_in.policy(id).unwrap();
        println!("{id}, {}", stand_in.names["AWS::StackName"]);
        let found = match id {
            "RealtimeRole" => {
                let others = [NOT_REALTIMES, keys].concat();
                prove(&policy, realtime, &others, |run, policy| {
                    tried(stand_in, "realtime", policy, move |role| async move {
                        use_realtime(stand_in, run, &role).await
                    })
                })
                .await
            }
            "ReseedRole" => {
                write_history(stand_in).await.unwrap();
                let others = [NOT_RESEEDS, keys].concat();
                prove(&policy, reseed, &others, |run, policy| {
                    tried(stand_in, "reseed", policy, move |role| async move {
                        use_reseed(stand_in, run, &role).await
                    })
                })
                .await
            }
            "ReseedSweepRole" => {
                let none: [Realtime; 0] = [];
                prove(&policy, &none, NOT_THE_SCHEDULES, |_, _| async {
                    unreachable!("there is nothing to run")
                })
                .await
            }
            other => vec![format!("nothing runs under {other}: tell here what does")],
        };
        wrong.extend(found.into_iter().map(|found| format!("{id} {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_functions_of_the_defaults_need_all_that_they_may() {
    let stand_in = StandIn::make("plain", &[]).await.unwrap();
    let realtime = [Realtime::Health, Realtime::Change];
    let reseed = [
        Reseed::Health,
        Reseed::Job,
        Reseed::List,
        Reseed::Sweep,
        Reseed::Pause,
        Reseed::Park,
    ];
    prove_stack(&stand_in, &realtime, &reseed, &[]).await;
}

#[tokio::test]
async fn the_functions_with_a_buffer_and_keys_and_newest_need_all_that_they_may() {
    let parameters = [
        ("Ingestion", "buffered"),
        ("LiveOrder", "newest"),
        (
            "ReplayQueueArn",
            "arn:aws:sqs:us-east-1:123456789012:whole-replay.fifo",
        ),
        ("KmsKeyArn", "arn:aws:kms:us-east-1:123456789012:key/1"),
        (
            "FormerKmsKeyArn",
            "arn:aws:kms:us-east-1:123456789012:key/0",
        ),
    ];
    let mut stand_in = StandIn::make("whole", &parameters).await.unwrap();
    make_replay_queue(&mut stand_in, "whole-replay.fifo")
        .await
        .unwrap();
    let realtime = [Realtime::Health, Realtime::Change, Realtime::Batch];
    let reseed = [
        Reseed::Health,
        Reseed::Job,
        Reseed::List,
        Reseed::Sweep,
        Reseed::Pause,
        Reseed::Replay,
        Reseed::Park,
        Reseed::EndedHold,
        Reseed::Hold,
    ];
    prove_stack(&stand_in, &realtime, &reseed, KEYS).await;
}

#[tokio::test]
async fn the_functions_of_a_watched_bucket_with_exact_need_all_that_they_may() {
    let plans = format!("{PLANS}/ledger");
    let parameters = [
        ("ExistingBucket", WATCHED),
        ("LiveOrder", "exact"),
        ("ForeignPlans", &plans),
    ];
    let stand_in = StandIn::make("exact", &parameters).await.unwrap();
    stand_in.make_bucket_to_watch(WATCHED).await.unwrap();
    let realtime = [Realtime::Health, Realtime::Change, Realtime::NotVersioned];
    let reseed = [
        Reseed::Health,
        Reseed::Job,
        Reseed::List,
        Reseed::Park,
        Reseed::Elsewhere,
        Reseed::EndedHold,
    ];
    prove_stack(&stand_in, &realtime, &reseed, &[]).await;
}

/// The item that all keys share is the only one that reseed may have, and asks for.
#[tokio::test]
async fn reseed_is_refused_other_items_of_the_live_table() {
    let parameters = [("Ingestion", "buffered"), ("LiveOrder", "newest")];
    let stand_in = StandIn::make("keys", &parameters).await.unwrap();
    let mut policy = stand_in.policy("ReseedRole").unwrap();
    let hold = policy
        .statement
        .iter_mut()
        .find(|s| s.sid == "Hold")
        .unwrap();
    let keys = hold.condition.values_mut().flat_map(|of| of.values_mut());
    for value in keys {
        *value = serde_json::from_value(json!(["key#bucket/key"])).unwrap();
    }
    let refused = tried(&stand_in, "reseed", policy, |role| {
        let stand_in = &stand_in;
        async move { use_reseed(stand_in, Reseed::Health, &role).await }
    })
    .await;
    let is_refused = |asked: &Decision| !asked.allowed && asked.action == "dynamodb:GetItem";
    assert!(refused.asked.iter().any(is_refused));
    assert!(refused.failed.is_some());
}

/// What realtime's own clients sign is what botocore signs; another secret or another session is refused.
#[tokio::test]
async fn signatures_are_looked_at() {
    let parameters = [("LiveOrder", "exact")];
    let stand_in = StandIn::make("signed", &parameters).await.unwrap();
    let (judge, names) = (&stand_in.judge, &stand_in.names);
    let owner = judge.owner().unwrap().credentials;
    let mut forged = owner.clone();
    forged.secret_access_key.replace_range(..1, "!");
    let mut strange = owner.clone();
    strange.session_token.replace_range(..1, "!");
    for (credentials, is_taken) in [(owner, true), (forged, false), (strange, false)] {
        let config = judge.config(&credentials);
        let http = sdk::connector();
        let queue = SqsClient::new(&config, http.clone()).queue(names["Queue"].clone());
        assert_eq!(queue.depth().await.is_ok(), is_taken, "SQS");
        let table = ServiceClient::new(DYNAMODB, &config, http.clone());
        let stream = DynamoStream::new(Arc::new(table), names["LiveTable"].clone());
        assert_eq!(stream.read().await.is_ok(), is_taken, "DynamoDB");
        let s3 = Arc::new(S3Client::new(&config, http));
        let bucket = SignedBucket::new(s3, names["Bucket"].clone());
        for prefix in ["", "plain/", "a b/\u{fc}+&=%~*'(/\u{1f980}"] {
            let listed = bucket.list(prefix, None).await;
            assert_eq!(
                listed.is_ok(),
                is_taken,
                "S3, {prefix:?}: {:?}",
                listed.err()
            );
        }
    }
}
