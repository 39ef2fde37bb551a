//! Port `Queue`: events as lines of a file or of standard output, one JSON document each.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::delivery::{EntryResult, Message, Queue, Refusal, RefusalKind};

/// A sink of lines. With one lane the lines are in the order of the plan.
pub struct Lines {
    name: String,
    sink: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    /// Lines on standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self {
            name: "standard output".to_owned(),
            sink: Mutex::new(Box::new(BufWriter::new(io::stdout()))),
        }
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
        Ok(Self {
            name: path.display().to_string(),
            sink: Mutex::new(Box::new(BufWriter::new(file))),
        })
    }

    fn write(&self, messages: &[Message]) -> io::Result<()> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            sink.write_all(message.body.as_bytes())?;
            sink.write_all(b"\n")?;
        }
        sink.flush()
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
        self.write(messages).map_err(|error| Refusal {
            kind: RefusalKind::Rejected,
            code: "Io".to_owned(),
            message: format!("writing to {}: {error}", self.name),
        })?;
        Ok(vec![Ok(()); messages.len()])
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
        Ok(usize::MAX)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let message = Message {
                number: 1,
                body: "[1]".to_owned(),
                group: None,
                deduplication_id: None,
                events: 1,
                attempt: 0,
                attributes: vec![],
            };
            lines.send(&[message]).await.unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("{kept}[1]\n"));
        }
    }
}
