//! Port `Queue`: events as lines of a file or of standard output, one JSON document each.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

/// The longest that [`Queue::send`] can take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// When a reader is called slow. It may be as slow as it likes: it is asked again, as a queue that
/// throttles is.
const SLOW: Duration = Duration::from_secs(5);

/// Code of the refusal when nobody reads any more.
pub const CLOSED: &str = "Closed";

/// Code of the refusal when lines cannot be written for another reason.
pub const FAILED: &str = "Io";

/// A sink of lines. With one lane the lines are in the order of the plan.
///
/// A reader may stop reading for hours, so a thread of its own writes: nothing else waits for it, and
/// the process can end without it.
pub struct Lines {
    name: String,
    writer: mpsc::Sender<Batch>,
    /// Held while lines are written.
    turn: Mutex<Turn>,
}

/// Lines to be written, and whom to tell.
struct Batch {
    lines: Vec<u8>,
    done: oneshot::Sender<io::Result<()>>,
}

/// What became of earlier requests.
#[derive(Default)]
struct Turn {
    /// The lines that are being written, by number, though nobody waits for them.
    writing: Option<(Vec<u64>, oneshot::Receiver<io::Result<()>>)>,
    /// Lines that were written when nobody waited any more. They will be sent again, and must not be
    /// written again.
    untold: HashSet<u64>,
}

impl Lines {
    /// Lines into `sink`, which errors call `name`.
    ///
    /// # Errors
    /// The system's, when it has no room for a thread.
    pub fn new(name: String, sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (writer, batches) = mpsc::channel::<Batch>();
        let mut sink = BufWriter::new(sink);
        std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || {
                for Batch { lines, done } in batches {
                    let written = sink.write_all(&lines).and_then(|()| sink.flush());
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(written);
                }
            })?;
        Ok(Self {
            name,
            writer,
            turn: Mutex::default(),
        })
    }

    /// Lines on standard output.
    ///
    /// # Errors
    /// As [`Lines::new`].
    pub fn stdout() -> io::Result<Self> {
        Self::new("standard output".to_owned(), io::stdout())
    }

    async fn write(&self, messages: &[Message]) -> Result<(), SendError> {
        let mut turn = self.turn.lock().await;
        self.finish(&mut turn).await?;
        let news: Vec<_> = messages
            .iter()
            .filter(|message| !turn.untold.contains(&message.number))
            .collect();
        let mut lines = Vec::new();
        for message in &news {
            push_line(&mut lines, &message.body);
        }
        let (done, written) = oneshot::channel();
        turn.writing = Some((news.iter().map(|message| message.number).collect(), written));
        // A writer that has ended drops the batch, which is told below.
        let _ = self.writer.send(Batch { lines, done });
        self.finish(&mut turn).await?;
        for message in messages {
            turn.untold.remove(&message.number);
        }
        Ok(())
    }

    /// Waits until what is being written is written, but not for long.
    async fn finish(&self, turn: &mut Turn) -> Result<(), SendError> {
        let Some((numbers, written)) = &mut turn.writing else {
            return Ok(());
        };
        let written = timeout(SLOW, written).await.map_err(|_| SendError {
            kind: FailureKind::Throttled,
            code: "SlowReader".to_owned(),
            message: format!("{} takes no more at the moment", self.name),
        })?;
        turn.untold.extend(numbers.drain(..));
        turn.writing = None;
        let written = written.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        written.map_err(|error| {
            turn.untold.clear();
            SendError {
                kind: FailureKind::Permanent,
                code: if error.kind() == io::ErrorKind::BrokenPipe {
                    CLOSED
                } else {
                    FAILED
                }
                .to_owned(),
                message: format!("writing to {}: {error}", self.name),
            }
        })
    }
}

/// A JSON document as one line. Keys may hold DEL and C1 controls, which JSON allows and terminals
/// obey: they are written as escapes, which mean the same.
fn push_line(lines: &mut Vec<u8>, json: &str) {
    let is_control = |c: char| ('\u{7f}'..='\u{9f}').contains(&c);
    for part in json.split_inclusive(is_control) {
        let plain = part.trim_end_matches(is_control);
        lines.extend_from_slice(plain.as_bytes());
        for control in part[plain.len()..].chars() {
            lines.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
        }
    }
    lines.push(b'\n');
}

#[async_trait]
impl Queue for Lines {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        self.write(messages).await?;
        Ok(vec![Ok(()); messages.len()])
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(usize::MAX)
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64) -> Message {
        Message {
            number,
            body: format!("[{number}]"),
            group: None,
            deduplication_id: None,
            events: 1,
            attempt: 0,
            attributes: vec![],
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_means_the_same() {
        let key = "a\u{9b}31m\u{7f}\u{85}\u{9f}é\u{a0}海";
        let json = serde_json::to_string(key).unwrap();
        let mut line = Vec::new();
        push_line(&mut line, &json);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line, "\"a\\u009b31m\\u007f\\u0085\\u009fé\u{a0}海\"\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), key);
    }

    /// A reader that takes nothing until it is told to.
    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for_and_gets_each_line_once() {
        let (reader, writer) = io::pipe().unwrap();
        let long = "x".repeat(1024 * 1024); // more than a pipe holds
        let lines = Lines::new("a pipe".to_owned(), writer).unwrap();
        let mut first = message(1);
        first.body = long.clone();
        for _ in 0..3 {
            let refusal = lines.send(&[first.clone(), message(2)]).await.unwrap_err();
            assert_eq!(refusal.kind, FailureKind::Throttled, "{refusal}");
        }
        // Its sender may also stop trying by itself.
        let request = [first, message(2), message(3)];
        let given_up = timeout(Duration::from_secs(1), lines.send(&request)).await;
        assert!(given_up.is_err());
        let read = std::thread::spawn(move || io::read_to_string(reader).unwrap());
        while lines.send(&request).await.is_err() {}
        drop(lines);
        assert_eq!(read.join().unwrap(), format!("{long}\n[2]\n[3]\n"));
    }
}
