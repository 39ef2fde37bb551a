//! docs/COMMANDS.md is typed again: each command in order, on a stack of its own. Those without a stack are typed by
//! `crates/cli/tests/commands.rs`.

use std::path::Path;

use bridge_sim::transcript::{Again, Names, Page, Shell};
use e2e::Stack;
use e2e::history::replayed::program;
use serde_json::json;

/// The stack of the page.
const NAME: &str = "s3-sqs-bridge";

/// What the page has for its bucket, for where queues are, for its account, the local AWS, where `serve` listens
/// and where all is typed.
const BUCKET: &str = "s3-sqs-bridge-bucket-1a2b3c4d5e6f7";
const QUEUES: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012";
const ACCOUNT: &str = "123456789012";
const ENDPOINT: &str = "http://127.0.0.1:4566";
const LISTEN: &str = "127.0.0.1:8080";
const FOLDER: &str = "/home/operator";

/// Twelve objects, six of them overwritten and two of these deleted: 20 versions. In the stack's failure queues is
/// what its page sends again.
async fn set_the_scene(stack: &Stack) {
    for (from, to) in [(1, 12), (1, 6)] {
        for number in from..=to {
            let key = format!("accounts/{number}.json");
            stack.put(&key, &format!("{from}{to}")).await.unwrap();
        }
    }
    for number in 1..=2 {
        let key = format!("accounts/{number}.json");
        stack.delete(&key).await.unwrap();
    }
    stack.create_queue("commands-replay").await.unwrap();
    let notification = notification(stack, "accounts/3.json");
    let send = stack.sqs.send_message();
    let send = send.queue_url(stack.output("OnFailureQueueUrl"));
    send.message_body(&notification).send().await.unwrap();
    for number in 0..2 {
        let send = stack.sqs.send_message();
        let send = send.queue_url(stack.output("DeadLetterQueueUrl"));
        let send = send.message_body(json!({ "number": number }).to_string());
        let send = send.message_group_id("accounts/1.json");
        let send = send.message_deduplication_id(number.to_string());
        send.send().await.unwrap();
    }
}

/// What S3 tells of a change.
fn notification(stack: &Stack, key: &str) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "eventTime": "2024-05-01T12:00:00.000Z",
        "s3": {
            "bucket": { "name": stack.output("BucketName") },
            "object": { "key": key, "versionId": "v1", "size": 1, "eTag": "e", "sequencer": "0061" },
        },
    }] })
    .to_string()
}

/// A port that nobody listens on.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_commands_shows_what_they_say() {
    let stack = Stack::create(NAME, &[]).await.unwrap();
    set_the_scene(&stack).await;
    let queue = stack.output("QueueUrl");
    let (queues, _) = queue.rsplit_once('/').unwrap();
    let (_, account) = queues.rsplit_once('/').unwrap();
    let (endpoint, address) = (std::env::var("AWS_ENDPOINT_URL").unwrap(), free_address());
    let folder = tempfile::tempdir().unwrap();
    let mut names = Names::new(&[
        (FOLDER, folder.path().to_str().unwrap()),
        (BUCKET, stack.output("BucketName")),
        (QUEUES, queues),
        (ACCOUNT, account),
        (ENDPOINT, &endpoint),
        ("/replay.fifo", "/commands-replay.fifo"),
        (LISTEN, &address),
    ]);
    let told = notification(&stack, "accounts/4.json");
    std::fs::write(folder.path().join("notification.json"), told).unwrap();
    let program = program().unwrap();
    let mut shell = Shell::start(folder.path(), program.parent().unwrap(), &[]).unwrap();

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/COMMANDS.md");
    let page = Page::new(std::fs::read_to_string(path).unwrap());
    let again = Again::typed(&page, &mut names, &mut shell, |heading| {
        !heading.ends_with("without a stack")
    });
    let again = again.unwrap();
    assert!(again.commands > 40, "{} commands", again.commands);
    if !again.differences.is_empty() {
        let now = Path::new(env!("CARGO_TARGET_TMPDIR")).join("COMMANDS.md");
        std::fs::write(&now, again.page).unwrap();
        panic!(
            "docs/COMMANDS.md does not show this. The page as it is now is {}: if that is right, it is the new page.\n{}",
            now.display(),
            again.differences
        );
    }
    drop(shell);
    stack.remove().await.unwrap();
}
