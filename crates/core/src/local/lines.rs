//! Port `Queue`: events as lines of a file or of standard output, one JSON document each.

use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::delivery::{EntryResult, Message, Queue, Refusal, RefusalKind};

/// Code of the refusal when nobody reads any more.
pub const CLOSED: &str = "Closed";

/// Code of the refusal when lines cannot be written for another reason.
pub const FAILED: &str = "Io";

/// A sink of lines. With one lane the lines are in the order of the plan.
pub struct Lines {
    name: String,
    sink: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    /// Lines on standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new("standard output".to_owned(), io::stdout())
    }

    /// Lines into `sink`, which errors call `name`.
    #[must_use]
    pub fn new(name: String, sink: impl Write + Send + 'static) -> Self {
        Self {
            name,
            sink: Mutex::new(Box::new(BufWriter::new(sink))),
        }
    }

    fn write(&self, messages: &[Message]) -> io::Result<()> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for message in messages {
            push_line(&mut lines, &message.body);
        }
        sink.write_all(&lines)?;
        sink.flush()
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
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        self.write(messages).map_err(|error| Refusal {
            kind: RefusalKind::Rejected,
            code: if error.kind() == io::ErrorKind::BrokenPipe {
                CLOSED
            } else {
                FAILED
            }
            .to_owned(),
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
}
