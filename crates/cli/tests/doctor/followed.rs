//! A canary that comes to its end, against a bucket and a queue that the test plays: what is others' is left as it was, and nothing of
//! the canary stays.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{End, answering_with, command};

/// How the bucket and what forwards its changes behave.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// Each change is a message.
    Well,
    /// Each message has a record of another object, too.
    Packed,
    /// The first object is put, and the answer is a failure, each time.
    PutUnknown,
    /// Its first version may not be removed for good.
    Kept,
    /// It has no versions, and only the first change is told.
    Unversioned,
    /// Others' message is received as often as it may be.
    UsedUp,
    /// After one receive a message is dead.
    OneReceive,
    /// There is no such queue.
    NoQueue,
    /// The queue may not be read.
    Unread,
}

/// A bucket's objects and a queue's messages.
struct World {
    how: How,
    /// Keys with their versions.
    objects: Vec<(String, String)>,
    puts: usize,
    /// Bodies; hidden or not, deleted or not.
    messages: Vec<(String, bool, bool)>,
    receives: usize,
}

type Shared = Arc<Mutex<World>>;

const OTHERS: &str = r#"{"key":"of/others","versionId":"o"}"#;

fn play(how: How) -> (Shared, String) {
    let world = Arc::new(Mutex::new(World {
        how,
        objects: vec![],
        puts: 0,
        messages: vec![(OTHERS.to_owned(), false, false)],
        receives: 0,
    }));
    let shared = Arc::clone(&world);
    let endpoint = answering_with(move |head, body| {
        let is_waiting = head.contains("ReceiveMessage");
        let answer = shared.lock().unwrap().answer(head, body);
        if is_waiting && answer.2 == "{}" {
            std::thread::sleep(Duration::from_millis(200));
        }
        answer
    });
    (world, endpoint)
}

impl World {
    fn tell(&mut self, key: &str, version: &str) {
        let body = match self.how {
            How::Packed => {
                let record = |key: &str| {
                    json!({ "eventName": "ObjectCreated:Put", "s3": { "object": {
                    "key": key, "versionId": version } } })
                };
                json!({ "Records": [record(key), record("of/others-too")] })
            }
            _ => json!({ "key": key, "versionId": version }),
        };
        self.messages.push((body.to_string(), false, false));
    }

    fn answer(&mut self, head: &str, body: &[u8]) -> (&'static str, String, String) {
        let line = head.lines().next().unwrap();
        let path = line.split(' ').nth(1).unwrap();
        let key = path.split(['?', '&']).next().unwrap();
        let key = key.trim_start_matches("/ledger/").to_owned();
        let ok = |body: String| ("200 OK", String::new(), body);
        if line.starts_with("PUT") {
            return self.put(key);
        }
        if line.starts_with("DELETE") {
            return self.delete(key, path);
        }
        let refused = match self.how {
            How::NoQueue if line.starts_with("POST") => "AWS.SimpleQueueService.NonExistentQueue",
            How::Unread if head.contains("ReceiveMessage") => "AccessDeniedException",
            _ => "",
        };
        if !refused.is_empty() {
            let error = json!({ "__type": refused, "message": "no" });
            return ("400 Bad Request", String::new(), error.to_string());
        }
        if line.starts_with("POST") {
            return ok(self.queue(head, body));
        }
        if path.contains("versioning") {
            let status = match self.how {
                How::Unversioned => "",
                _ => "<Status>Enabled</Status>",
            };
            return ok(format!(
                "<VersioningConfiguration>{status}</VersioningConfiguration>"
            ));
        }
        let versions = self.objects.iter().map(|(key, version)| {
            format!(
                "<Version><Key>{key}</Key><VersionId>{version}</VersionId><IsLatest>false</IsLatest>\
                 <LastModified>2024-05-01T12:00:00.000Z</LastModified><Size>1</Size></Version>"
            )
        });
        ok(format!(
            "<ListVersionsResult><IsTruncated>false</IsTruncated>{}</ListVersionsResult>",
            versions.collect::<String>()
        ))
    }

    fn put(&mut self, key: String) -> (&'static str, String, String) {
        self.puts += 1;
        let version = format!("v{}", self.puts);
        if self.how == How::Unversioned {
            self.objects = vec![(key.clone(), "null".to_owned())];
            if self.puts == 1 {
                self.tell(&key, "null");
            }
            return ("200 OK", String::new(), String::new());
        }
        self.objects.push((key.clone(), version.clone()));
        if self.how == How::PutUnknown {
            let error = "<Error><Code>InternalError</Code><Message>written</Message></Error>";
            return ("500 Internal Server Error", String::new(), error.to_owned());
        }
        self.tell(&key, &version);
        (
            "200 OK",
            format!("x-amz-version-id: {version}\r\n"),
            String::new(),
        )
    }

    fn delete(&mut self, key: String, path: &str) -> (&'static str, String, String) {
        if let Some((_, version)) = path.split_once("versionId=") {
            let version = version.split('&').next().unwrap();
            if self.how == How::Kept && version == "v1" {
                let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
                return ("403 Forbidden", String::new(), error.to_owned());
            }
            self.objects.retain(|(_, found)| found != version);
            return ("204 No Content", String::new(), String::new());
        }
        if self.how == How::Unversioned {
            self.objects.clear();
            return ("204 No Content", String::new(), String::new());
        }
        self.objects.push((key.clone(), "marker".to_owned()));
        self.tell(&key, "marker");
        let head = "x-amz-version-id: marker\r\nx-amz-delete-marker: true\r\n";
        ("204 No Content", head.to_owned(), String::new())
    }

    fn queue(&mut self, head: &str, body: &[u8]) -> String {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let number = |receipt: &Value| receipt.as_str().unwrap().parse::<usize>().unwrap();
        if head.contains("ReceiveMessage") {
            self.receives += 1;
            let free = self.messages.iter_mut().enumerate();
            let free = free.filter(|(_, (_, is_hidden, is_deleted))| !is_hidden && !is_deleted);
            let others = if self.how == How::UsedUp { "5" } else { "4" };
            let handed = free.map(|(number, (body, is_hidden, _))| {
                *is_hidden = true;
                let receives = if number == 0 { others } else { "1" };
                json!({ "MessageId": format!("m{number}"), "ReceiptHandle": number.to_string(), "Body": body,
                    "Attributes": { "SentTimestamp": "1714564800000", "ApproximateReceiveCount": receives } })
            });
            let handed: Vec<_> = handed.collect();
            if handed.is_empty() {
                return "{}".to_owned();
            }
            return json!({ "Messages": handed }).to_string();
        }
        if head.contains("ChangeMessageVisibilityBatch") {
            let entries = asked["Entries"].as_array().unwrap();
            for entry in entries {
                let is_hidden = entry["VisibilityTimeout"] != 0;
                self.messages[number(&entry["ReceiptHandle"])].1 = is_hidden;
            }
            let done = entries.iter().map(|entry| json!({ "Id": entry["Id"] }));
            return json!({ "Successful": done.collect::<Vec<_>>(), "Failed": [] }).to_string();
        }
        if head.contains("DeleteMessageBatch") {
            let entries = asked["Entries"].as_array().unwrap();
            for entry in entries {
                self.messages[number(&entry["ReceiptHandle"])].2 = true;
            }
            let done = entries.iter().map(|entry| json!({ "Id": entry["Id"] }));
            return json!({ "Successful": done.collect::<Vec<_>>(), "Failed": [] }).to_string();
        }
        if head.contains("DeleteMessage") {
            self.messages[number(&asked["ReceiptHandle"])].2 = true;
            return "{}".to_owned();
        }
        let most = if self.how == How::OneReceive { 1 } else { 5 };
        let policy =
            json!({ "maxReceiveCount": most, "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:d" });
        json!({ "Attributes": { "QueueArn": "arn:aws:sqs:eu-west-1:1:q", "MaximumMessageSize": "1048576",
            "VisibilityTimeout": "30", "ApproximateNumberOfMessages": "1", "RedrivePolicy": policy.to_string() } })
        .to_string()
    }

    /// Nothing of the canary is there, and all of others.
    #[track_caller]
    fn is_as_before(&self, end: &str) {
        assert!(self.objects.is_empty(), "{:?} stays: {end}", self.objects);
        for (body, is_hidden, is_deleted) in &self.messages {
            let is_others = body.contains("of/others");
            assert!(!(is_others && *is_deleted), "{body} is deleted: {end}");
            assert!(!(is_others && *is_hidden), "{body} is hidden: {end}");
        }
    }
}

fn doctor(endpoint: &str) -> (tempfile::TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let queue = format!("{endpoint}/1/q");
    let words = [
        "doctor",
        "--serve",
        "--canary",
        "--canary-queue-url",
        &queue,
    ];
    let mut command = command(endpoint, folder.path(), &words);
    command
        .env("QUEUE_URL", &queue)
        .env("BUCKET_NAME", "ledger")
        .env("NOTIFICATIONS_TOKEN", "a-token-of-the-tests");
    (folder, command)
}

/// What was found of the canary.
fn follow(how: How) -> (Shared, String) {
    let (world, endpoint) = play(how);
    let (_folder, mut command) = doctor(&endpoint);
    let end = End::of(&mut command);
    let found = end.stdout.lines().filter(|line| line.contains("canary:"));
    let found = found.collect::<String>();
    assert!(!found.is_empty(), "{} {}", end.stdout, end.stderr);
    (world, found)
}

#[test]
fn all_three_changes_are_found_and_nothing_stays() {
    let (world, found) = follow(How::Well);
    assert!(found.starts_with("ok"), "{found}");
    world.lock().unwrap().is_as_before(&found);
}

#[test]
fn a_message_that_tells_of_others_too_is_not_deleted() {
    let (world, found) = follow(How::Packed);
    world.lock().unwrap().is_as_before(&found);
}

#[test]
fn an_object_whose_putting_was_answered_with_a_failure_is_removed() {
    let (world, found) = follow(How::PutUnknown);
    world.lock().unwrap().is_as_before(&found);
}

#[test]
fn one_version_that_stays_keeps_no_others() {
    let (world, found) = follow(How::Kept);
    let left = world.lock().unwrap().objects.clone();
    let left: Vec<_> = left.iter().map(|(_, version)| version.as_str()).collect();
    assert_eq!(left, ["v1"], "{found}");
}

#[test]
fn one_event_of_three_is_not_all_where_there_are_no_versions() {
    let (world, found) = follow(How::Unversioned);
    assert!(!found.contains("all three arrived"), "{found}");
    world.lock().unwrap().is_as_before(&found);
}

#[test]
fn where_a_receive_makes_dead_letters_of_others_messages_nothing_is_put_or_received() {
    let (world, found) = follow(How::OneReceive);
    assert!(
        found.starts_with("unchecked") && found.contains("maxReceiveCount 1"),
        "{found}"
    );
    let world = world.lock().unwrap();
    assert_eq!((world.puts, world.receives), (0, 0), "{found}");
}

#[test]
fn nothing_is_put_where_the_queue_is_not_there_or_may_not_be_read() {
    for (how, advice) in [
        (How::NoQueue, "is the URL right, and is it there?"),
        (How::Unread, "the credentials need sqs:ReceiveMessage"),
    ] {
        let (world, endpoint) = play(how);
        let (_folder, mut command) = doctor(&endpoint);
        let end = End::of(&mut command).with(1);
        end.answers(&["canary: nothing was put: reading ", "/1/q", advice]);
        assert_eq!(world.lock().unwrap().puts, 0);
    }
}

#[test]
fn that_a_message_of_others_was_received_for_the_last_time_is_said() {
    let (world, found) = follow(How::UsedUp);
    assert!(
        found.starts_with("warning")
            && found.contains("1 message of others were received as often"),
        "{found}"
    );
    let world = world.lock().unwrap();
    world.is_as_before(&found);
    assert_eq!(world.receives, 1, "{found}");
}
