//! The file of `--copy`: what is deleted is in it before, and nothing else is harmed by it.

use std::path::Path;
use std::time::Duration;

use crate::common::played::{Kept, Played, messages, play};
use crate::common::{End, shell};
use crate::{copy, is_as_before, verify};

#[test]
fn a_file_that_copy_has_not_written_is_left_as_it_is_also_without_a_last_newline() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let theirs = r#"{"precious":"one line, and no newline behind it"}"#;
    let path = folder.path().join("config.json");
    std::fs::write(&path, theirs).unwrap();
    let (_, endpoint) = play(Played {
        messages: messages(&lines),
        ..Played::default()
    });
    let end = End::of(&mut verify(
        &bucket,
        &endpoint,
        folder.path(),
        "--keep --copy config.json",
    ));
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(left == theirs, "it was emptied and written over");
    end.with(2)
        .says(&["--copy: config.json", "line 1 is no message"]);
}

/// What somebody does to the file of `--copy` while messages are written to it.
fn remove(got: &Path) {
    std::fs::remove_file(got).unwrap();
}

fn exchange(got: &Path) {
    std::fs::rename(got, got.with_extension("old")).unwrap();
    std::fs::write(got, "").unwrap();
}

fn cut(got: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(got).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

#[test]
fn nothing_more_is_deleted_once_the_copy_is_not_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let got = folder.path().join("got");
    for (harm, part) in [
        (remove as fn(&Path), "it was removed, renamed or exchanged"),
        (exchange, "it was removed, renamed or exchanged"),
        (cut, "another program has written to it, or cut it off"),
    ] {
        // The same file, that the queue looks into.
        let (kept, _) = (folder.path().join("kept"), std::fs::remove_file(&got));
        std::fs::write(&kept, "").unwrap();
        std::fs::hard_link(&kept, &got).unwrap();
        let (queue, endpoint) = play(Played {
            messages: messages(&lines),
            most: Some((200, false)),
            copy: Some(kept.clone()),
            ..Played::default()
        });
        let deleted = || {
            let queue = queue.lock().unwrap();
            queue.messages.iter().filter(|kept| kept.is_deleted).count()
        };
        let line = "--delete --copy got";
        let child = verify(&bucket, &endpoint, folder.path(), line)
            .spawn()
            .unwrap();
        while deleted() < 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
        harm(&got);
        queue.lock().unwrap().most = None;
        let end = End::wait(child).with(1);
        end.says(&["200 messages were read and deleted", "--copy: got: ", part]);
        assert_eq!(deleted(), 200);
        std::fs::remove_file(&kept).unwrap();
    }
}

#[test]
fn a_disk_that_is_full_leaves_whole_messages_in_the_copy_and_the_others_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let got = folder.path().join("got");
    let (queue, endpoint) = play(Played {
        messages: messages(&lines),
        copy: Some(got.clone()),
        ..Played::default()
    });
    let line = format!("--queue-url {endpoint}/1/q --delete --copy got");
    // Files have an end as if the disk had one there, in the midst of a line.
    let full = "trap '' XFSZ; ulimit -f 40; exec s3-sqs-bridge verify --bucket b --json ";
    let mut full = shell(&bucket, folder.path(), &format!("{full}{line}"));
    let end = End::of(full.env("AWS_ENDPOINT_URL_SQS", &endpoint)).with(1);
    end.says(&["read and deleted", "still in the queue", "--copy: got: "]);
    let whole = std::fs::read_to_string(&got).unwrap();
    assert!(whole.ends_with('\n'), "a part of a message is left");
    let deleted = |kept: &&Kept| kept.is_deleted;
    let deleted = queue
        .lock()
        .unwrap()
        .messages
        .iter()
        .filter(deleted)
        .count();
    assert_eq!((deleted, deleted > 0), (whole.lines().count(), true));

    let line = "--delete --copy got";
    for kept in &mut queue.lock().unwrap().messages {
        kept.is_hidden = false;
    }
    let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), line)).with(0);
    assert_eq!(end.json()["compared"], 600);
}

#[test]
fn what_is_kept_and_is_in_the_copy_already_is_not_taken_for_another_programs() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let (queue, endpoint) = play(Played {
        messages: messages(&lines),
        ..Played::default()
    });
    for _ in 0..2 {
        let line = "--keep --copy got";
        let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), line)).with(0);
        assert_eq!(end.json()["compared"], 600);
        assert!(is_as_before(&queue));
    }
}

#[test]
fn what_was_deleted_is_not_written_over_by_what_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    for (line, what) in [
        ("--copy /dev/stdout >got", "/dev/stdout"),
        ("--copy got >got", "got"),
        ("--copy got >>got", "got"),
        ("--copy got 2>got", "got"),
        ("--copy ./new >new", "./new"),
    ] {
        let (queue, endpoint) = play(Played {
            messages: messages(&lines),
            copy: Some(folder.path().join("got")),
            ..Played::default()
        });
        let url = format!("{endpoint}/1/q");
        let line = format!("s3-sqs-bridge verify --bucket b --queue-url {url} --delete {line}");
        let mut shell = shell(&bucket, folder.path(), &line);
        let end = End::of(shell.env("AWS_ENDPOINT_URL_SQS", &endpoint)).with(2);
        assert_eq!(queue.lock().unwrap().handed, 0, "{line}");
        let said = std::fs::read_to_string(folder.path().join("got")).unwrap() + &end.stderr;
        assert!(
            said.contains(&format!("--copy: {what} is the file of standard")),
            "{said}"
        );
    }
}

#[test]
fn what_was_deleted_is_not_written_over_by_the_findings() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, lines) = copy(folder.path());
    let (queue, endpoint) = play(Played {
        // So that there are findings.
        messages: messages(&lines[..500]),
        copy: Some(folder.path().join("got")),
        ..Played::default()
    });
    let line = "--delete --copy got --findings ./got";
    let end = End::of(&mut verify(&bucket, &endpoint, folder.path(), line));
    let deleted = queue.lock().unwrap().messages.clone();
    let got = std::fs::read_to_string(folder.path().join("got")).unwrap_or_default();
    for (number, kept) in deleted.iter().enumerate() {
        let id = format!("\"MessageId\":\"id-{number}\"");
        assert!(!kept.is_deleted || got.contains(&id), "{id} is in neither");
    }
    end.with(2).says(&["--findings", "--copy"]);
}
