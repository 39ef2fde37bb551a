//! People and a consumer under roles that have exactly the policies of docs/policies, on a moto that judges by them: each part
//! of a statement that is taken away must make something fail.

use std::process::Command;

use anyhow::{Context as _, ensure};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use bridge_core::queue::ordering::is_fifo;
use e2e::history::replayed::program;
use e2e::permissions::judge::{ACCOUNT, REGION, Role};
use e2e::permissions::proof::{NotAsked, Tried, prove};
use e2e::permissions::stand_in::StandIn;
use infra::resources::PolicyDocument;
use serde_json::json;

/// Why `doctor` is not run: `tests/tests/doctor.rs` does, where all is allowed.
const DOCTOR: &str = "doctor looks at a deployed stack, which is not here";

const NOT_OPERATORS: &[NotAsked] = &[
    (
        "Doctor",
        &[
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:GetPolicy",
        ],
        DOCTOR,
    ),
    (
        "DoctorOfRule",
        &["events:DescribeRule", "events:ListTargetsByRule"],
        DOCTOR,
    ),
    ("DoctorOfSchedule", &["scheduler:GetSchedule"], DOCTOR),
    ("DoctorOfReplayQueue", &["sqs:GetQueueAttributes"], DOCTOR),
    (
        "DoctorOfKey",
        &["kms:DescribeKey", "kms:GetKeyPolicy"],
        DOCTOR,
    ),
    (
        "DoctorOfAll",
        &["cloudwatch:GetMetricData", "lambda:ListEventSourceMappings"],
        DOCTOR,
    ),
    (
        "ReadLogs",
        &[
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:DescribeLogStreams",
        ],
        "sam logs and the console read logs",
    ),
    (
        "ReadOutputs",
        &[
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStackResource",
            "cloudformation:ListStackResources",
        ],
        "sam, the console, jobs and doctor look for the stack's resources",
    ),
];

const NOT_CONSUMERS: &[NotAsked] = &[(
    "Consume",
    &["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
    "for a consumer that takes longer than a message is hidden, and for one that is a function",
)];

/// What somebody does.
#[derive(Debug, Clone, Copy)]
enum Use {
    /// As `sam remote invoke` does. `jobs` looks for the function among the outputs of a stack first, and moto has none
    /// of these: `tests/tests/jobs_cli.rs` runs it, where all is allowed.
    AskReseed,
    RedriveOnFailure,
    RedriveBuffer,
    RedriveDeadLetters,
    Consume,
    Replay,
    Verify,
    Heal,
}

/// A policy of the docs for the stand-in.
fn policy(stand_in: &StandIn, name: &str) -> PolicyDocument {
    let path = format!(
        "{}/../docs/policies/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut text = std::fs::read_to_string(path).unwrap();
    let (stack, table) = (
        &stand_in.names["AWS::StackName"],
        stand_in.names.get("LiveTable"),
    );
    let queue = match name {
        "verifier" => "buffer", // a standard one
        _ => "events.fifo",
    };
    for (blank, filled) in [
        ("REGION", REGION),
        ("ACCOUNT", ACCOUNT),
        ("STACK", stack),
        ("BUCKET", &stand_in.names["Bucket"]),
        ("HEALED", &format!("{stack}-events.fifo")),
        ("TABLE", table.map_or("", String::as_str)),
        ("QUEUE", &format!("{stack}-{queue}")),
    ] {
        text = text.replace(blank, filled);
    }
    serde_json::from_str(&text).unwrap()
}

/// Runs the command line, which must succeed; what it wrote.
fn command_line(stand_in: &StandIn, role: &Role, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program()?);
    command.args(arguments).env_clear();
    let output = command
        .envs(stand_in.judge.environment(&role.credentials))
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

/// Redrives what lies in a queue: of two messages the first goes, the second stays, to be seen again at once.
async fn redrive(
    stand_in: &StandIn,
    role: &Role,
    from: &str,
    to: &[&str],
    messages: [String; 2],
) -> anyhow::Result<()> {
    let (sqs, url) = (&stand_in.sqs, &stand_in.names[from]);
    sqs.purge_queue().queue_url(url).send().await?;
    for (message, group) in messages.iter().zip(["1", "2"]) {
        let mut send = sqs.send_message().queue_url(url).message_body(message);
        if is_fifo(url) {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            send = send.message_group_id(group);
            send = send.message_deduplication_id(format!("{group}-{}", now.as_nanos()));
        }
        send.send().await?;
    }
    let said = command_line(stand_in, role, &[&["redrive", "--from", url], to].concat())?;
    ensure!(said.contains("1 message sent again"), "{said}");
    let visible = QueueAttributeName::ApproximateNumberOfMessages;
    let depth = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(visible.clone());
    let depth = depth.send().await?;
    let depth = depth.attributes().and_then(|a| a.get(&visible));
    ensure!(
        depth.is_some_and(|depth| depth == "1"),
        "what stays is hidden: {said}"
    );
    Ok(())
}

/// An invocation that Lambda gave up, as it writes it.
fn given_up(function: &str) -> String {
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}");
    let invocation = json!({ "requestContext": { "functionArn": arn }, "requestPayload": {} });
    invocation.to_string()
}

async fn act(stand_in: &StandIn, done: Use, role: &Role) -> anyhow::Result<()> {
    let names = &stand_in.names;
    match done {
        Use::AskReseed => {
            let lambda = stand_in.judge.config(&role.credentials);
            let ask = aws_sdk_lambda::Client::new(&lambda).invoke();
            let ask = ask.function_name(&names["Reseed"]);
            ask.payload(Blob::new(r#"{"action":"list"}"#))
                .send()
                .await?;
        }
        Use::RedriveOnFailure | Use::RedriveBuffer => {
            let realtime = &names["Realtime"];
            let (from, first) = match done {
                Use::RedriveBuffer => ("BufferQueue", json!({ "Records": [] }).to_string()),
                _ => ("OnFailureQueue", given_up(realtime)),
            };
            let messages = [first, given_up("another")];
            redrive(stand_in, role, from, &["--invoke", realtime], messages).await?;
        }
        Use::RedriveDeadLetters => {
            let parked = json!({ "kind": "parked" }).to_string();
            let to = ["--to", names["Queue"].as_str()];
            redrive(
                stand_in,
                role,
                "DeadLetterQueue",
                &to,
                ["1".to_owned(), parked],
            )
            .await?;
        }
        Use::Consume => consume(stand_in, role).await?,
        Use::Replay => {
            let state = tempfile::tempdir()?;
            let state = state.path().to_str().context("a path that is no text")?;
            let (bucket, queue) = (&names["Bucket"], &names["Queue"]);
            let arguments = [
                "reseed",
                "--bucket",
                bucket,
                "--queue-url",
                queue,
                "--state",
                state,
            ];
            let said = command_line(stand_in, role, &arguments)?;
            // Who may not ask for it is not warned; the job works all the same.
            ensure!(
                said.contains("versioning of bucket") && said.contains("is suspended"),
                "{said}"
            );
        }
        Use::Verify => verify(stand_in, role).await?,
        Use::Heal => heal(stand_in, role).await?,
    }
    Ok(())
}

/// Reads a standard queue, which must hold all of its messages afterwards, then none.
async fn verify(stand_in: &StandIn, role: &Role) -> anyhow::Result<()> {
    let (names, folder) = (&stand_in.names, tempfile::tempdir()?);
    let copy = folder.path().join("copy");
    let copy = copy.to_str().context("a path that is no text")?;
    let url = &names["BufferQueue"];
    stand_in.sqs.purge_queue().queue_url(url).send().await?;
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
    let send = stand_in.sqs.send_message().queue_url(url);
    send.message_body(test).send().await?;
    // Nothing of the bucket is asked for.
    let of_what = [
        "--bucket",
        &names["Bucket"],
        "--prefix",
        "none/",
        "--queue-url",
        url,
    ];
    for (ending, ended) in [
        (&["--keep"][..], "1 message read and put back"),
        (&["--delete", "--copy", copy], "1 message read and deleted"),
    ] {
        let words = [&["verify"], &of_what[..], ending].concat();
        let said = command_line(stand_in, role, &words)?;
        let is_as_it_must_be = said.contains(ended) && !said.contains("could not be");
        ensure!(is_as_it_must_be, "{said}");
    }
    Ok(())
}

/// The consumer of docs/EVENTS.md.
async fn consume(stand_in: &StandIn, role: &Role) -> anyhow::Result<()> {
    let (sqs, url) = (&stand_in.sqs, &stand_in.names["Queue"]);
    sqs.purge_queue().queue_url(url).send().await?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let event = json!({ "eventId": "1", "versionId": "1" });
    let send = sqs
        .send_message()
        .queue_url(url)
        .message_body(event.to_string());
    let send = send.message_group_id("1");
    send.message_deduplication_id(now.as_nanos().to_string())
        .send()
        .await?;
    let page = format!("{}/../docs/EVENTS.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(page)?;
    let block = page.split("```python\n").nth(1).context("no consumer")?;
    let block = block.split("\n```").next().unwrap_or_default();
    let main =
        format!("{block}\n\nconsume('{url}', set(), lambda event: print(event['eventId']))\n");
    let mut command = Command::new("python3");
    command.args(["-c", &main]);
    let output = command
        .envs(stand_in.judge.environment(&role.credentials))
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success() && said.trim() == "1", "{said}");
    Ok(())
}

/// Heals the bucket's only key under its claim, which nobody holds afterwards: it can be done again at once.
async fn heal(stand_in: &StandIn, role: &Role) -> anyhow::Result<()> {
    let (names, url) = (&stand_in.names, &stand_in.names["Queue"]);
    stand_in.sqs.purge_queue().queue_url(url).send().await?;
    // A consumer that has something of the bucket: from nothing, nothing is healed.
    let event = json!({ "eventId": "1", "source": "realtime", "eventName": "ObjectCreated:Put", "bucket": names["Bucket"],
        "key": "another", "versionId": "1", "eventTime": "2024-05-01T12:00:00.000Z" });
    let got = tempfile::NamedTempFile::new()?;
    std::fs::write(&got, event.to_string())?;
    let mut command = Command::new(program()?);
    command.args(["verify", "--bucket", &names["Bucket"], "--events"]);
    command.arg(got.path());
    command.args(["--heal", url, "--live-table", &names["LiveTable"]]);
    let environment = stand_in.judge.environment(&role.credentials);
    let output = command.env_clear().envs(environment).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let is_healed = said.contains("1 key healed with 2 events");
    // The comparison's end: something was missing.
    ensure!(is_healed && output.status.code() == Some(1), "{said}");
    let receive = stand_in.sqs.receive_message().queue_url(url);
    let received = receive.max_number_of_messages(10).send().await?;
    let events = received.messages().iter().filter_map(|message| {
        let event: serde_json::Value = serde_json::from_str(message.body()?).ok()?;
        Some(event["eventName"].as_str()?.to_owned())
    });
    let events: Vec<_> = events.collect();
    let expected = ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"];
    ensure!(events == expected, "{events:?}");
    Ok(())
}

/// Proves a policy of the docs.
async fn prove_policy(stand_in: &StandIn, name: &str, uses: &[Use], not_asked: &[NotAsked]) {
    let policy = policy(stand_in, name);
    println!("{name}");
    let wrong = prove(&policy, uses, not_asked, |done, policy| async move {
        let role = stand_in.judge.role(name, &policy).unwrap();
        let failed = act(stand_in, done, &role).await.err();
        Tried {
            failed: failed.map(|error| format!("{error:#}")),
            asked: stand_in.judge.decisions(&role).unwrap(),
        }
    });
    let wrong = wrong.await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_operator_needs_all_of_its_policy() {
    let stand_in = StandIn::make("operated", &[]).await.unwrap();
    let uses = [
        Use::AskReseed,
        Use::RedriveOnFailure,
        Use::RedriveBuffer,
        Use::RedriveDeadLetters,
    ];
    prove_policy(&stand_in, "operator", &uses, NOT_OPERATORS).await;
}

#[tokio::test]
async fn a_consumer_and_who_replays_by_the_command_line_need_all_of_their_policies() {
    let stand_in = StandIn::make("used", &[]).await.unwrap();
    let put = stand_in.s3.put_object().bucket(&stand_in.names["Bucket"]);
    put.key("1").send().await.unwrap();
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let suspend = stand_in
        .s3
        .put_bucket_versioning()
        .bucket(&stand_in.names["Bucket"]);
    suspend
        .versioning_configuration(suspended.build())
        .send()
        .await
        .unwrap();
    prove_policy(&stand_in, "replayer", &[Use::Replay], &[]).await;
    prove_policy(&stand_in, "consumer", &[Use::Consume], NOT_CONSUMERS).await;
}

#[tokio::test]
async fn who_compares_a_queue_with_a_bucket_needs_all_of_the_policy() {
    let stand_in = StandIn::make("proved", &[("LiveOrder", "exact")])
        .await
        .unwrap();
    let (s3, bucket) = (&stand_in.s3, &stand_in.names["Bucket"]);
    let put = s3.put_object().bucket(bucket).key("1");
    put.send().await.unwrap();
    let delete = s3.delete_object().bucket(bucket).key("1");
    delete.send().await.unwrap();
    prove_policy(&stand_in, "verifier", &[Use::Verify, Use::Heal], &[]).await;
}
