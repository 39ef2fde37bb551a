//! `redrive` against a failure queue and a function that the test plays.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{answering, command, text};
use serde_json::{Value, json};

/// A message of the failure queue.
#[derive(Clone)]
struct Kept {
    body: String,
    hidden: bool,
    deleted: bool,
}

type Queue = Arc<Mutex<Vec<Kept>>>;

/// A queue of these bodies, and a function that takes what says it is good, in its time.
fn play(bodies: &[Value], takes: Duration) -> (String, Queue) {
    let kept = bodies.iter().map(|body| Kept {
        body: body.to_string(),
        hidden: false,
        deleted: false,
    });
    let queue: Queue = Arc::new(Mutex::new(kept.collect()));
    let played = Arc::clone(&queue);
    let url = answering("200 OK", move |head, body| {
        if head.contains("/functions/") {
            std::thread::sleep(takes);
            let input = text(body);
            if input.contains("aws:sqs") {
                // A batch, as realtime answers it.
                let is_bad = !input.contains("good");
                let failed = json!({ "itemIdentifier": "0" });
                let failures = is_bad.then_some(failed).into_iter().collect::<Vec<_>>();
                return json!({ "batchItemFailures": failures }).to_string();
            }
            assert!(input.starts_with("{\"good\""), "{input}");
            return "null".to_owned();
        }
        let request: Value = serde_json::from_slice(body).unwrap();
        let mut queue = played.lock().unwrap();
        let number = |receipt: &Value| receipt.as_str().unwrap().parse::<usize>().unwrap();
        let head = head.to_lowercase();
        if head.contains("receivemessage") {
            let visible = |(_, kept): &(usize, &mut Kept)| !kept.hidden && !kept.deleted;
            let some = queue.iter_mut().enumerate().filter(visible).take(10);
            let messages: Vec<_> = some
                .map(|(index, kept)| {
                    kept.hidden = true;
                    json!({ "MessageId": index.to_string(), "ReceiptHandle": index.to_string(), "Body": kept.body })
                })
                .collect();
            json!({ "Messages": messages }).to_string()
        } else if head.contains("deletemessage") {
            queue[number(&request["ReceiptHandle"])].deleted = true;
            "{}".to_owned()
        } else if head.contains("changemessagevisibilitybatch") {
            for entry in request["Entries"].as_array().unwrap() {
                queue[number(&entry["ReceiptHandle"])].hidden = entry["VisibilityTimeout"] != 0;
            }
            json!({ "Successful": [], "Failed": [] }).to_string()
        } else {
            let hidden = queue
                .iter()
                .filter(|kept| kept.hidden && !kept.deleted)
                .count();
            let name = "ApproximateNumberOfMessagesNotVisible";
            json!({ "Attributes": { name: hidden.to_string() } }).to_string()
        }
    });
    (url, queue)
}

fn redrive(url: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let from = format!("{url}/1/on-failure");
    let arguments = ["redrive", "--from", &from, "--invoke", "s-realtime"];
    let output = command(url, folder.path(), &arguments).output().unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn of(function: &str, payload: Value) -> Value {
    let arn = format!("arn:aws:lambda:eu-west-1:1:function:{function}:$LATEST");
    json!({ "requestContext": { "functionArn": arn }, "requestPayload": payload })
}

#[test]
fn a_function_may_take_its_time() {
    let (url, queue) = play(&[json!({ "good": 1 })], Duration::from_secs(12));
    let (code, told, error) = redrive(&url);
    assert_eq!(code, Some(0), "{error}");
    assert!(told.contains("\"redriven\":1"), "{told}");
    assert!(queue.lock().unwrap()[0].deleted);
}

#[test]
fn hidden_messages_are_no_success() {
    let (url, queue) = play(
        &[json!({ "good": 1 }), json!({ "good": 2 })],
        Duration::ZERO,
    );
    queue.lock().unwrap()[1].hidden = true; // by a redrive that was killed
    let (code, told, error) = redrive(&url);
    assert_eq!(code, Some(3), "{error}");
    assert!(
        told.contains("\"redriven\":1") && told.contains("\"hidden\":1"),
        "{told}"
    );
    assert!(
        error.contains("1 messages") && error.contains("run it again"),
        "{error}"
    );
}

#[test]
fn what_stays_can_be_read_again_at_once() {
    let (url, queue) = play(&[json!("no object"), json!({ "good": 1 })], Duration::ZERO);
    queue.lock().unwrap()[0].body = "not JSON".to_owned();
    for _ in 0..2 {
        let (code, _, error) = redrive(&url);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains("message 0 stays"), "{error}");
        let queue = queue.lock().unwrap();
        assert!(!queue[0].hidden && !queue[0].deleted && queue[1].deleted);
    }
}

#[test]
fn invocations_of_reseed_are_told_apart_and_do_not_end_it() {
    let segment = json!({ "action": "continue", "jobId": "x", "epoch": 1 });
    let mut bodies = vec![of("s-reseed", segment); 15];
    bodies.push(of("s-realtime", json!({ "good": 1 })));
    let (url, queue) = play(&bodies, Duration::ZERO);
    let (code, told, error) = redrive(&url);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        told.contains("\"redriven\":1") && told.contains("\"left\":15"),
        "{told}"
    );
    assert!(error.contains("an invocation of s-reseed"), "{error}");
    let queue = queue.lock().unwrap();
    assert!(queue[15].deleted && queue[..15].iter().all(|kept| !kept.deleted && !kept.hidden));
}

#[test]
fn what_no_function_gave_up_is_handed_over_as_a_message_and_stays_if_it_fails() {
    // The sender of the second one would have it taken for reseed's, or for an action.
    let bodies = [json!({ "good": 1 }), json!({ "action": "health" })];
    let (url, queue) = play(&bodies, Duration::ZERO);
    let (code, _, error) = redrive(&url);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("s-realtime failed again"), "{error}");
    let queue = queue.lock().unwrap();
    assert!(queue[0].deleted && !queue[1].deleted && !queue[1].hidden);
}
