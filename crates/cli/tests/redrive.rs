//! `redrive` against a failure queue and a function that the test plays.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{End, answering_with, command, signal, text};
use serde_json::{Value, json};

/// A message of the failure queue.
#[derive(Clone)]
struct Kept {
    body: String,
    hidden: bool,
    deleted: bool,
    /// The queue is gone once this is deleted.
    gone: bool,
}

/// What the function answers when it fails.
const FAILED: &str = r#"{"errorType":"NotANotification","errorMessage":"found something"}"#;

type Queue = Arc<Mutex<Vec<Kept>>>;

/// A queue of these bodies, and a function that takes what says it is good, in its time, and is well.
fn play(bodies: &[Value], takes: Duration) -> (String, Queue) {
    play_with(bodies, takes, true)
}

/// As [`play`]; the function may be unwell.
fn play_with(bodies: &[Value], takes: Duration, is_well: bool) -> (String, Queue) {
    let kept = bodies.iter().map(|body| Kept {
        body: body.to_string(),
        hidden: false,
        deleted: false,
        gone: false,
    });
    let queue: Queue = Arc::new(Mutex::new(kept.collect()));
    let played = Arc::clone(&queue);
    let url = answering_with(move |head, body| {
        let answer = |body: String| ("200 OK", String::new(), body);
        let failed = || {
            (
                "200 OK",
                "x-amz-function-error: Unhandled\r\n".to_owned(),
                FAILED.to_owned(),
            )
        };
        if head.contains("/functions/") {
            std::thread::sleep(takes);
            let input = text(body);
            if input == "{\"action\":\"health\"}" {
                return if is_well {
                    answer("null".to_owned())
                } else {
                    failed()
                };
            }
            if input.contains("aws:sqs") {
                // A batch, as realtime answers it.
                let is_bad = !input.contains("good");
                let bad = json!({ "itemIdentifier": "0" });
                let failures = is_bad.then_some(bad).into_iter().collect::<Vec<_>>();
                return answer(json!({ "batchItemFailures": failures }).to_string());
            }
            if input.starts_with("{\"bad\"") {
                return failed();
            }
            assert!(input.starts_with("{\"good\""), "{input}");
            return answer("null".to_owned());
        }
        let request: Value = serde_json::from_slice(body).unwrap();
        let mut queue = played.lock().unwrap();
        let number = |receipt: &Value| receipt.as_str().unwrap().parse::<usize>().unwrap();
        let head = head.to_lowercase();
        // It asks whether it may be sent to, and takes nothing.
        if head.contains("amazonsqs.sendmessage\r\n") {
            let refused = r#"{"__type":"com.amazonaws.sqs#InvalidMessageContents","message":"no"}"#;
            return ("400 Bad Request", String::new(), refused.to_owned());
        }
        if queue.iter().any(|kept| kept.gone && kept.deleted) {
            let refused = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#;
            return ("400 Bad Request", String::new(), refused.to_owned());
        }
        let body = if head.contains("receivemessage") {
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
        };
        answer(body)
    });
    (url, queue)
}

#[test]
fn the_end_is_told_in_words_or_as_json() {
    let (url, _) = play(&[json!({ "good": 1 })], Duration::ZERO);
    let end = redrive_to(&url, ["--invoke", "s-realtime"]).with(0);
    assert_eq!(end.stdout, "1 message sent again\n");
    let empty = redrive_to(&url, ["--invoke", "s-realtime"]).with(0);
    empty.answers(&["/1/on-failure is empty: there is nothing to send again"]);
    let (url, _) = play(&[json!({ "good": 1 })], Duration::ZERO);
    let told = redrive_to(&url, ["--json", "--invoke=s-realtime"]).with(0);
    let expected =
        json!({ "redriven": 1, "failed": 0, "left": 0, "parked": 0, "hidden": 0, "error": null });
    assert_eq!(told.json(), expected);
}

#[test]
fn what_was_done_is_told_as_json_also_where_something_failed() {
    let bodies = [json!({ "good": 1 }), json!({ "bad": 1 })];
    let (url, _) = play(&bodies, Duration::ZERO);
    let told = redrive_to(&url, ["--json", "--invoke=s-realtime"]).with(1);
    let json = told.json();
    let error = json["error"].as_str().unwrap();
    assert!(error.contains("failed again"), "{error}");
    assert_eq!((&json["redriven"], &json["failed"]), (&json!(1), &json!(1)));
    // The queue is gone after a message.
    let (url, queue) = play(&[json!({ "good": 1 })], Duration::ZERO);
    queue.lock().unwrap()[0].gone = true;
    let told = redrive_to(&url, ["--json", "--invoke=s-realtime"]).with(1);
    let json = told.says(&["1 message sent again: reading"]).json();
    assert_eq!(json["redriven"], 1);
    assert!(
        json["error"]
            .as_str()
            .unwrap()
            .contains("QueueDoesNotExist")
    );
}

#[test]
fn an_interrupt_ends_it_after_the_message_that_is_on_its_way() {
    let bodies = [
        json!({ "good": 1 }),
        json!({ "good": 2 }),
        json!({ "good": 3 }),
    ];
    let (url, queue) = play(&bodies, Duration::from_secs(2));
    let folder = tempfile::tempdir().unwrap();
    let from = format!("{url}/1/on-failure");
    let arguments = ["redrive", "--from", &from, "--invoke=s-realtime", "--json"];
    let child = command(&url, folder.path(), &arguments).spawn().unwrap();
    while !queue.lock().unwrap()[2].hidden {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let end = End::wait(child).with(3);
    let json = end.says(&["interrupted", "run it again"]).json();
    assert_eq!((&json["redriven"], &json["hidden"]), (&json!(1), &json!(0)));
    let queue = queue.lock().unwrap();
    assert!(queue[0].deleted);
    assert!(queue[1..].iter().all(|kept| !kept.hidden && !kept.deleted));
}

#[test]
fn a_queue_is_not_redriven_into_itself() {
    let (url, queue) = play(&[json!({ "good": 1 })], Duration::ZERO);
    for to in [
        format!("{url}/1/on-failure"),
        format!("{}//1/on-failure", url.replace("127.0.0.1", "LOCALHOST")),
    ] {
        let end = redrive_to(&url, ["--to", &to]).with(2);
        end.says(&["--to: ", "is the queue of --from"]);
    }
    assert!(!queue.lock().unwrap()[0].hidden);
}

fn redrive(url: &str) -> End {
    redrive_to(url, ["--invoke", "s-realtime"])
}

fn redrive_to(url: &str, target: [&str; 2]) -> End {
    let folder = tempfile::tempdir().unwrap();
    let from = format!("{url}/1/on-failure");
    let arguments = ["redrive", "--from", &from, target[0], target[1]];
    End::of(&mut command(url, folder.path(), &arguments))
}

fn of(function: &str, payload: Value) -> Value {
    let arn = format!("arn:aws:lambda:eu-west-1:1:function:{function}:$LATEST");
    json!({ "requestContext": { "functionArn": arn }, "requestPayload": payload })
}

#[test]
fn a_function_may_take_its_time() {
    let (url, queue) = play(&[json!({ "good": 1 })], Duration::from_secs(12));
    redrive(&url).with(0).answers(&["1 message sent again"]);
    assert!(queue.lock().unwrap()[0].deleted);
}

#[test]
fn hidden_messages_are_no_success() {
    let (url, queue) = play(
        &[json!({ "good": 1 }), json!({ "good": 2 })],
        Duration::ZERO,
    );
    queue.lock().unwrap()[1].hidden = true; // by a redrive that was killed
    redrive(&url)
        .with(3)
        .answers(&["1 message sent again"])
        .says(&["hidden in ", ": 1 message, read within", "run it again"]);
}

#[test]
fn what_stays_can_be_read_again_at_once() {
    let (url, queue) = play(&[json!("no object"), json!({ "good": 1 })], Duration::ZERO);
    queue.lock().unwrap()[0].body = "not JSON".to_owned();
    for _ in 0..2 {
        redrive(&url).with(1).says(&["message 0 stays"]);
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
    redrive(&url)
        .with(0)
        .answers(&["1 message sent again, 15 left in the queue"])
        .says(&["an invocation of s-reseed"]);
    let queue = queue.lock().unwrap();
    assert!(queue[15].deleted && queue[..15].iter().all(|kept| !kept.deleted && !kept.hidden));
}

#[test]
fn what_no_function_gave_up_is_handed_over_as_a_message_and_stays_if_it_fails() {
    // The sender of the second one would have it taken for reseed's, or for an action.
    let bodies = [json!({ "good": 1 }), json!({ "action": "health" })];
    let (url, queue) = play(&bodies, Duration::ZERO);
    redrive(&url).with(1).says(&["s-realtime failed again"]);
    let queue = queue.lock().unwrap();
    assert!(queue[0].deleted && !queue[1].deleted && !queue[1].hidden);
}

#[test]
fn bad_notifications_do_not_keep_good_ones_from_a_function_that_is_well() {
    let mut bodies: Vec<Value> = (0..25).map(|n| json!({ "bad": n })).collect();
    bodies.push(json!({ "good": 1 }));
    let (url, queue) = play(&bodies, Duration::ZERO);
    redrive(&url).with(1).says(&[
        "1 message sent again; 25 failed again",
        "s-realtime says that it is well",
    ]);
    assert!(queue.lock().unwrap()[25].deleted);
}

#[test]
fn a_function_that_is_not_well_is_tried_ten_times() {
    let bodies: Vec<Value> = (0..25).map(|n| json!({ "bad": n })).collect();
    let (url, _) = play_with(&bodies, Duration::ZERO, false);
    redrive(&url).with(1).says(&[
        "0 messages sent again; 10 failed again",
        "s-realtime is not well",
    ]);
}

#[test]
fn parked_events_are_left_told_of_and_no_failure() {
    let parked = |n: u64| {
        json!({ "kind": "parked", "reason": "undeliverable", "jobId": "j-1", "sequence": n,
            "code": "InvalidMessageContents", "event": { "key": "k" } })
    };
    let mut bodies: Vec<Value> = (1..=12).map(parked).collect();
    bodies.push(json!({ "good": 1 }));
    for is_function in [true, false] {
        let of = if is_function {
            &bodies[..]
        } else {
            &bodies[..12]
        };
        let (url, queue) = play(of, Duration::ZERO);
        let to = format!("{url}/1/q");
        let target = if is_function {
            ["--invoke", "s-realtime"]
        } else {
            ["--to", to.as_str()]
        };
        let redriven = if is_function {
            "1 message"
        } else {
            "0 messages"
        };
        let redriven = format!("{redriven} sent again, 12 left");
        redrive_to(&url, target)
            .with(0)
            .answers(&[&redriven])
            .says(&[
                "a parked event, 12 of job j-1 (InvalidMessageContents)",
                "12 parked events of a reseed",
            ]);
        let queue = queue.lock().unwrap();
        assert!(queue[..12].iter().all(|kept| !kept.deleted && !kept.hidden));
    }
}

#[test]
fn a_dead_letter_that_fails_again_is_not_overtaken() {
    let bodies = [json!({ "n": 1 }), json!({ "n": 2 }), json!({ "n": 3 })];
    let (url, queue) = play(&bodies, Duration::ZERO);
    let end = redrive_to(&url, ["--to", &format!("{url}/1/q")]).with(1);
    let end = end.says(&["InvalidMessageContents", "0 messages sent again"]);
    let tried = end.stderr.matches(" stays: ").count();
    assert_eq!(tried, 1, "{}", end.stderr);
    let queue = queue.lock().unwrap();
    assert!(queue.iter().all(|kept| !kept.deleted && !kept.hidden));
}

#[test]
fn a_queue_and_a_function_that_are_not_there_are_told_also_where_nothing_is_to_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let of_lambda = r#"{"Type":"User","Message":"Function not found"}"#;
    let of_sqs = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#;
    let url = answering_with(move |head, body| {
        if head.contains("/functions/") {
            let kind = "x-amzn-errortype: ResourceNotFoundException\r\n";
            return ("404 Not Found", kind.to_owned(), of_lambda.to_owned());
        }
        if text(body).contains("nosuch") {
            return ("400 Bad Request", String::new(), of_sqs.to_owned());
        }
        let empty = r#"{"Messages":[],"Attributes":{}}"#;
        ("200 OK", String::new(), empty.to_owned())
    });
    let to = format!("{url}/1/nosuch");
    let target = ["--invoke", "realtime"];
    let nosuch = ["/1/nosuch", "QueueDoesNotExist", "is the URL right"];
    for (queue, target, parts) in [
        ("nosuch", target, nosuch),
        ("on-failure", ["--to", &to], nosuch),
        (
            "on-failure",
            target,
            [
                "--invoke: function realtime",
                "not found",
                "RealtimeFunction",
            ],
        ),
    ] {
        let from = format!("{url}/1/{queue}");
        let arguments = ["redrive", "--from", &from, target[0], target[1]];
        let end = End::of(&mut command(&url, folder.path(), &arguments)).with(2);
        assert_eq!(end.says(&parts).stdout, "");
    }
}
