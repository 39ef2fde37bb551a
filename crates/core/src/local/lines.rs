//! Port `Queue`: events as lines of a file or of standard output, one JSON document each.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::delivery::{EntryResult, Message, Queue, Refusal, RefusalKind};

/// The longest that [`Queue::send`] can take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// When a reader is called slow. It may be as slow as it likes: it is asked again, as a queue that
/// throttles is.
const SLOW: Duration = Duration::from_secs(5);

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
                    // Whoever asked may have given up waiting.
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

    /// Lines behind those that the file has. A last line that was cut short by a crash is removed:
    /// it was never acknowledged, so it will come again.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let whole = end_of_last_line(&mut file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        Self::new(path.display().to_string(), file)
    }

    async fn write(&self, messages: &[Message]) -> Result<(), Refusal> {
        let mut turn = self.turn.lock().await;
        self.finish(&mut turn).await?;
        let news: Vec<_> = messages
            .iter()
            .filter(|message| !turn.untold.contains(&message.number))
            .collect();
        let mut lines = Vec::new();
        for message in &news {
            lines.extend_from_slice(message.body.as_bytes());
            lines.push(b'\n');
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
    async fn finish(&self, turn: &mut Turn) -> Result<(), Refusal> {
        let Some((numbers, written)) = &mut turn.writing else {
            return Ok(());
        };
        let written = timeout(SLOW, written).await.map_err(|_| Refusal {
            kind: RefusalKind::Throttled,
            code: "SlowReader".to_owned(),
            message: format!("{} takes no more at the moment", self.name),
        })?;
        turn.untold.extend(numbers.drain(..));
        turn.writing = None;
        let written = written.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        written.map_err(|error| {
            turn.untold.clear();
            Refusal {
                kind: RefusalKind::Rejected,
                code: "Io".to_owned(),
                message: format!("writing to {}: {error}", self.name),
            }
        })
    }
}

/// Bytes up to and with the last line feed.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(file)
            .take(end - begin)
            .read_to_end(&mut part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[async_trait]
impl Queue for Lines {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        self.write(messages).await?;
        Ok(vec![Ok(()); messages.len()])
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
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

    #[tokio::test]
    async fn a_line_cut_short_is_removed_and_what_follows_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        for (found, kept) in [
            ("", ""),
            ("{}\n{\"a\"", "{}\n"),
            ("{}\n", "{}\n"),
            ("{", ""),
        ] {
            std::fs::write(&path, found).unwrap();
            let lines = Lines::append(&path).unwrap();
            lines.send(&[message(1)]).await.unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("{kept}[1]\n"));
        }
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
            assert_eq!(refusal.kind, RefusalKind::Throttled, "{refusal}");
        }
        // Its sender may also give up by itself.
        let request = [first, message(2), message(3)];
        let given_up = timeout(Duration::from_secs(1), lines.send(&request)).await;
        assert!(given_up.is_err());
        let read = std::thread::spawn(move || io::read_to_string(reader).unwrap());
        while lines.send(&request).await.is_err() {}
        drop(lines);
        assert_eq!(read.join().unwrap(), format!("{long}\n[2]\n[3]\n"));
    }
}
