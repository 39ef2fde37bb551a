//! `verify --queue-url` against a queue that the test plays.

#[path = "../common/mod.rs"]
mod common;
mod copy;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::played::{Played, Queue, messages, play};
use common::{End, answering, answering_each, command, run, serve, signal};
use serde_json::json;

/// A bucket of 600 versions, its copy's lines, and where the bucket is.
fn copy(folder: &Path) -> (String, Vec<String>) {
    let endpoint = serve(Shape::NonAscii, 600, |_| {});
    run(&endpoint, folder, "--bucket b --out lines").with(0);
    let text = std::fs::read_to_string(folder.join("lines")).unwrap();
    (endpoint, text.lines().map(str::to_owned).collect())
}

fn verify(bucket: &str, queue: &str, folder: &Path, line: &str) -> Command {
    let url = format!("{queue}/1/q");
    let words = ["verify", "--bucket", "b", "--json", "--queue-url", &url];
    let words: Vec<_> = words.into_iter().chain(line.split_whitespace()).collect();
    let mut command = command(bucket, folder, &words);
    command.env("AWS_ENDPOINT_URL_SQS", queue);
    command
}

fn is_as_before(queue: &Queue) -> bool {
    let queue = queue.lock().unwrap();
    queue
        .messages
        .iter()
        .all(|kept| !kept.is_hidden && !kept.is_deleted)
}

#[test]
fn what_is_kept_is_compared_once_and_is_there_again_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let file = ["verify", "--bucket", "b", "--json", "--events", "lines"];
    let of_file = End::of(&mut command(&bucket, folder.path(), &file))
        .with(0)
        .json();
    let mut lines = lines;
    // A standard queue has no order.
    lines.reverse();
    let (queue, endpoint) = play(Played {
        messages: messages(&lines),
        again: vec![],
        policy: Some(json!({ "maxReceiveCount": 5 }).to_string()),
        ..Played::default()
    });
    let end = verify(&bucket, &endpoint, folder.path(), "--keep")
        .spawn()
        .unwrap();
    while queue.lock().unwrap().handed < 100 {
        std::thread::sleep(Duration::from_millis(2));
    }
    // As if the time had run out for which they are hidden.
    queue.lock().unwrap().again = vec![0, 1, 2];
    let end = End::wait(end).with(0);
    let end = end.says(&[
        "put back (--keep)",
        "600 messages read and put back",
        "one of the 5 receives",
    ]);
    let found = end.says(&["a standard queue keeps no order"]).json();
    assert_eq!(found["digest"], of_file["digest"]);
    assert_eq!(
        (&found["repeated"], &found["events"]),
        (&0.into(), &600.into())
    );
    assert!(is_as_before(&queue));
    assert_eq!(queue.lock().unwrap().handed, 603);
}

#[test]
fn what_is_deleted_is_in_the_copy_before_and_a_fifo_queues_order_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, mut lines) = copy(folder.path());
    let whole = lines.clone();
    let key = |line: &String| messages(std::slice::from_ref(line))[0].group.clone();
    // One key's two versions are swapped.
    let newer = lines
        .iter()
        .rposition(|line| line.contains("\"isLatest\":true"))
        .unwrap();
    let older = lines
        .iter()
        .position(|line| key(line) == key(&lines[newer]))
        .unwrap();
    lines.swap(older, newer);
    let play_all = |lines: &[String]| {
        play(Played {
            messages: messages(lines),
            is_fifo: true,
            copy: Some(folder.path().join("got")),
            ..Played::default()
        })
    };
    let (queue, endpoint) = play_all(&lines);
    let line = "--delete --copy got";
    let found = verify(&bucket, &endpoint, folder.path(), line);
    let found = End::of(&mut { found })
        .with(1)
        .says(&["DELETED", "600 messages read and deleted"]);
    assert_eq!(
        (&found.json()["outOfOrder"], &found.json()["missing"]),
        (&1.into(), &0.into())
    );
    assert!(
        queue
            .lock()
            .unwrap()
            .messages
            .iter()
            .all(|kept| kept.is_deleted)
    );
    // What is gone from the queue can be compared again.
    let again = ["verify", "--bucket", "b", "--json", "--events", "got"];
    let again = End::of(&mut command(&bucket, folder.path(), &again))
        .with(1)
        .json();
    assert_eq!(again["digest"], found.json()["digest"]);

    std::fs::remove_file(folder.path().join("got")).unwrap();
    let (_, endpoint) = play_all(&whole);
    End::of(&mut verify(&bucket, &endpoint, folder.path(), line)).with(0);
}

#[test]
fn an_interrupt_puts_back_what_is_kept_and_what_was_deleted_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    for line in ["--keep", "--delete --copy got"] {
        let (queue, endpoint) = play(Played {
            messages: messages(&lines),
            most: Some((200, false)),
            copy: Some(folder.path().join("got")),
            ..Played::default()
        });
        let child = verify(&bucket, &endpoint, folder.path(), line)
            .spawn()
            .unwrap();
        while queue.lock().unwrap().handed < 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&child, "-INT");
        End::wait(child)
            .with(3)
            .says(&["interrupted", "run it again"]);
        assert_eq!(is_as_before(&queue), line == "--keep", "{line}");
        queue.lock().unwrap().most = None;
        let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), line)).with(0);
        assert_eq!(end.json()["compared"], 600);
        assert_eq!(end.json()["repeated"], 0);
    }
}

#[test]
fn an_interrupt_behind_the_queue_tells_what_was_deleted_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_, lines) = copy(folder.path());
    for (is_fifo, how) in [(true, "--events got\n"), (false, "or run it again\n")] {
        let (_, endpoint) = play(Played {
            messages: messages(&lines[..30]),
            copy: Some(folder.path().join("got")),
            is_fifo,
            ..Played::default()
        });
        // A bucket that answers the first question only, whether it is there.
        let ((asked, listing), is_asked) = (channel(), AtomicBool::new(false));
        let asleep = answering("200 OK", move |_, _| {
            asked.send(()).unwrap();
            while is_asked.swap(true, Ordering::Relaxed) {
                std::thread::park();
            }
            "<ListVersionsResult></ListVersionsResult>".to_owned()
        });
        let line = "--delete --copy got";
        let child = verify(&asleep, &endpoint, folder.path(), line)
            .spawn()
            .unwrap();
        for _ in 0..2 {
            listing.recv().unwrap();
        }
        signal(&child, "-INT");
        let end = End::wait(child).with(3);
        assert!(
            !end.stderr.contains("nothing was changed"),
            "{}",
            end.stderr
        );
        assert!(!end.stderr.contains("waiting"), "{}", end.stderr);
        let parts = ["30 messages were deleted from the queue and are in got"];
        end.says(&parts).says(&[how]);
        std::fs::remove_file(folder.path().join("got")).unwrap();
    }
}

#[test]
fn an_error_behind_the_queue_tells_what_was_deleted_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_, lines) = copy(folder.path());
    let (_, endpoint) = play(Played {
        messages: messages(&lines[..30]),
        copy: Some(folder.path().join("got")),
        ..Played::default()
    });
    // A bucket that may be asked once.
    let is_asked = AtomicBool::new(false);
    let refusing = answering_each(move |_, _| {
        if is_asked.swap(true, Ordering::Relaxed) {
            let refusal = "<Error><Code>AccessDenied</Code><Message>not any more</Message></Error>";
            return ("403 Forbidden", refusal.to_owned());
        }
        let page = "<ListVersionsResult></ListVersionsResult>";
        ("200 OK", page.to_owned())
    });
    let line = "--delete --copy got";
    let end = End::of(&mut verify(&refusing, &endpoint, folder.path(), line)).with(1);
    end.says(&[
        "30 messages were deleted from the queue and are in got",
        "--events got",
        "not any more",
    ]);
}

#[test]
fn an_error_puts_back_what_is_kept_and_compares_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let (queue, endpoint) = play(Played {
        messages: messages(&lines),
        most: Some((200, true)),
        ..Played::default()
    });
    let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), "--keep")).with(1);
    let end = end.says(&["messages were read", "not any more"]);
    assert_eq!(end.stdout, "");
    assert!(is_as_before(&queue));
}

#[test]
fn what_another_program_has_received_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let mut kept = messages(&lines);
    let last = kept.pop().unwrap();
    let (queue, endpoint) = play(Played {
        messages: kept,
        hidden_by_others: 1,
        ..Played::default()
    });
    let mut child = verify(&bucket, &endpoint, folder.path(), "--keep")
        .spawn()
        .unwrap();
    // At the begin, and twice when there are no more.
    while queue.lock().unwrap().asked < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut given_back = queue.lock().unwrap();
    given_back.hidden_by_others = 0;
    given_back.messages.push(last);
    drop(given_back);
    let end = End::wait(child).with(0);
    assert_eq!(end.json()["compared"], 600);
}

#[test]
fn what_cannot_be_put_back_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let (queue, endpoint) = play(Played {
        messages: messages(&lines[..25]),
        refused: Some("changemessagevisibilitybatch"),
        ..Played::default()
    });
    let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), "--keep")).with(1);
    end.says(&["25 messages could not be put back: they come back by themselves within 120 s"]);
    assert!(!is_as_before(&queue));
}

#[test]
fn a_message_with_few_receives_left_ends_it_before_its_consumer_loses_them() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let mut kept = messages(&lines);
    kept[300].receives = 2;
    let (queue, endpoint) = play(Played {
        messages: kept,
        policy: Some(json!({ "maxReceiveCount": "4" }).to_string()),
        ..Played::default()
    });
    let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), "--keep")).with(1);
    end.says(&["maxReceiveCount 4", "nothing more is read"]);
    assert!(is_as_before(&queue));
    let queue = queue.lock().unwrap();
    assert!(queue.messages.iter().all(|kept| kept.receives < 4));
    assert!(queue.handed < 600, "{}", queue.handed);
}

#[test]
fn what_would_do_harm_or_prove_nothing_is_refused_before_a_message_is_received() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let pipe = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(pipe.unwrap().success());
    let fifo = || Played {
        is_fifo: true,
        ..Played::default()
    };
    let soon_dead = || Played {
        policy: Some(json!({ "maxReceiveCount": 2 }).to_string()),
        ..Played::default()
    };
    for (played, line, parts) in [
        (Played::default(), "", ["--keep", "--delete"]),
        (Played::default(), "--delete", ["--copy", "required"]),
        (
            Played::default(),
            "--keep --delete --copy got",
            ["--keep", "cannot be used with"],
        ),
        (
            Played::default(),
            "--keep --events lines",
            ["--events", "cannot be used with"],
        ),
        (
            Played::default(),
            "--delete --copy pipe",
            ["--copy: pipe", "a pipe or a device"],
        ),
        (
            Played::default(),
            "--delete --copy /dev/stdout",
            ["--copy: /dev/stdout", "a pipe or a device"],
        ),
        (
            Played::default(),
            "--delete --copy lines",
            ["--copy: lines", "line 1 is no message"],
        ),
        (fifo(), "--keep", ["FIFO", "--delete --copy FILE"]),
        (
            soon_dead(),
            "--keep",
            ["maxReceiveCount 2", "dead-letter queue"],
        ),
    ] {
        let (queue, endpoint) = play(Played {
            messages: messages(&lines),
            ..played
        });
        End::of(&mut verify(&bucket, &endpoint, folder.path(), line))
            .with(2)
            .says(&parts);
        assert_eq!(queue.lock().unwrap().handed, 0, "{line}");
        assert!(is_as_before(&queue));
    }
}
