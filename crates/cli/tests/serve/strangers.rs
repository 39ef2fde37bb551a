//! Whoever reaches the port and means no good, or does not go on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::process::{OPERATORS, Serving, TOKEN, notification, services};

fn connect(serving: &Serving) -> TcpStream {
    TcpStream::connect(serving.url.trim_start_matches("http://")).unwrap()
}

#[test]
fn heads_without_an_end_take_no_more_memory_than_is_said() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let before = serving.peak_kib();
    let padding = vec![b'x'; 390_000];
    let strangers: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = connect(&serving);
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\npadding: ")
                .unwrap();
            // Who is answered before the end need not be heard to the end.
            let _ = stream.write_all(&padding);
            stream
        })
        .collect();
    assert_eq!(serving.get("/healthz").0, 200);
    let more = serving.peak_kib() - before;
    assert!(more < 64 * 1024, "{more} KiB for {} heads", strangers.len());
    drop(strangers);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn who_never_ends_a_request_does_not_make_an_orderly_end_look_like_another() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let mut stranger = connect(&serving);
    stranger
        .write_all(b"POST /notifications HTTP/1.1\r\nhost:")
        .unwrap();
    let change = notification("aws:s3", "a", 1).to_string();
    assert_eq!(serving.post(&change).0, 200);
    // All that was taken is forwarded.
    assert_eq!(serving.end(), Some(0));
    assert_eq!(load.arrivals().messages, 1);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    for (path, token) in [("notifications", TOKEN), ("jobs", OPERATORS)] {
        let mut slow = connect(&serving);
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: 9\r\n\r\n{{"
        );
        slow.write_all(head.as_bytes()).unwrap();
        slow.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut answer = [0; 12];
        slow.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408", "{path}");
    }
    assert_eq!(serving.end(), Some(0));
}
