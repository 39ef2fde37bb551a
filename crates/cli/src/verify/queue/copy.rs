//! The messages of a queue in a file, one a line, as SQS's API writes them: `--events` reads it, too.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use bridge_local::reason::reason;
use serde::{Deserialize, Serialize};

use crate::verify::input::MOST_LINE;

/// Ids of messages that are known, the last ones: more than a queue lets be received and not deleted. Some 30 MB.
const MOST_KNOWN: usize = 1 << 18;

/// A file of messages, each once.
pub(super) struct Copy {
    path: PathBuf,
    /// The option that it is of.
    option: &'static str,
    file: File,
    /// Its bytes that are whole lines and last.
    length: u64,
    /// Why nothing is written to it any more: messages that are known may not be in it.
    failed: Option<String>,
    known: Known,
    bytes: Vec<u8>,
}

/// Which messages are in the file already. A message that is received again, as its visibility ran out or it was not
/// deleted, is no repetition that anybody sent.
#[derive(Default)]
struct Known {
    ids: HashSet<Arc<str>>,
    in_turn: VecDeque<Arc<str>>,
}

impl Known {
    /// Whether it is new.
    fn insert(&mut self, id: &str) -> bool {
        if self.ids.contains(id) {
            return false;
        }
        if self.in_turn.len() >= MOST_KNOWN
            && let Some(oldest) = self.in_turn.pop_front()
        {
            self.ids.remove(&oldest);
        }
        let id: Arc<str> = id.into();
        self.in_turn.push_back(Arc::clone(&id));
        self.ids.insert(id)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    message_id: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    data_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl<'a> Attribute<'a> {
    fn of(value: &'a MessageAttributeValue) -> Self {
        let binary = value.binary_value.as_ref();
        Self {
            data_type: &value.data_type,
            string_value: value.string_value.as_deref(),
            binary_value: binary.map(|b| base64_simd::STANDARD.encode_to_string(b.as_ref())),
        }
    }
}

impl<'a> Line<'a> {
    fn of(message: &'a Message) -> Self {
        let attributes = message.attributes.iter().flatten();
        let of_sender = message.message_attributes.iter().flatten();
        Self {
            message_id: message.message_id().unwrap_or_default(),
            body: message.body().unwrap_or_default(),
            attributes: attributes
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            message_attributes: of_sender
                .map(|(name, value)| (name.as_str(), Attribute::of(value)))
                .collect(),
        }
    }
}

/// How each line begins.
const BEGIN: &[u8] = b"{\"MessageId\":\"";

/// What of a line is read again.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    message_id: String,
}

/// How a file of messages ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// With a whole message, which may be in no queue any more, as an editor leaves it.
    NoNewline,
    /// With a part of a message as it is written here, behind so many bytes.
    CutOff(u64),
}

impl Copy {
    /// Opens the file, or makes it, readable to its owner only. What is in it stays, but for a last line that was cut
    /// off while it was written: its message was not deleted.
    ///
    /// # Errors
    /// What keeps it from being opened, also that another process writes it, or that it holds something else; with its
    /// name and its option.
    pub(super) fn open(path: &Path, option: &'static str) -> io::Result<Self> {
        Self::opened(path, option).map_err(|error| named(path, option, &error))
    }

    fn opened(path: &Path, option: &'static str) -> io::Result<Self> {
        // It is looked at first: to open a pipe may take for ever.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(io::Error::other("it is a pipe or a device: name a file"));
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path)?;
        if file.try_lock().is_err() {
            return Err(io::Error::other("another process writes it"));
        }
        let mut copy = Self {
            path: path.to_owned(),
            option,
            file,
            length: 0,
            failed: None,
            known: Known::default(),
            bytes: Vec::new(),
        };
        let end = copy.read()?;
        if let End::CutOff(whole) = end {
            copy.file.set_len(whole)?;
        }
        if end == End::NoNewline {
            copy.file.write_all(b"\n")?;
        }
        copy.length = copy.file.metadata()?.len();
        // Its name must last as what is in it.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(copy)
    }

    /// Reads what it holds, and answers how it ends.
    fn read(&mut self) -> io::Result<End> {
        let mut file = BufReader::new(&self.file);
        let (mut whole, mut number, mut line) = (0, 0, Vec::new());
        loop {
            line.clear();
            let most = MOST_LINE as u64;
            let length = file.by_ref().take(most).read_until(b'\n', &mut line)? as u64;
            if length == 0 {
                return Ok(End::Whole);
            }
            number += 1;
            let has_end = line.last() == Some(&b'\n');
            let written = serde_json::from_slice::<Written>(&line);
            let begin = &line[..line.len().min(BEGIN.len())];
            match written {
                Ok(written) => self.known.insert(&written.message_id),
                // Anything but an end in the midst of a value was not written here, as two messages on a line.
                Err(error)
                    if error.is_eof() && !has_end && length < most && BEGIN.starts_with(begin) =>
                {
                    return Ok(End::CutOff(whole));
                }
                Err(_) => {
                    return Err(io::Error::other(format!(
                        "line {number} is no message of a queue: name a new file, or one that --copy has written"
                    )));
                }
            };
            if !has_end {
                return Ok(End::NoNewline);
            }
            whole += length;
        }
    }

    /// Writes the messages that are not in it, and answers how many these are. Then they last, in the file of this name.
    ///
    /// # Errors
    /// What keeps them from being written, or found: they must stay in the queue.
    pub(super) fn write(&mut self, messages: &[Message]) -> io::Result<u64> {
        let written = self.append(messages);
        written.map_err(|error| named(&self.path, self.option, &error))
    }

    fn append(&mut self, messages: &[Message]) -> io::Result<u64> {
        if let Some(reason) = &self.failed {
            return Err(io::Error::other(reason.clone()));
        }
        self.bytes.clear();
        let mut written = 0;
        for message in messages {
            if self.known.insert(message.message_id().unwrap_or_default()) {
                serde_json::to_writer(&mut self.bytes, &Line::of(message))?;
                self.bytes.push(b'\n');
                written += 1;
            }
        }
        let lasts = self.file.write_all(&self.bytes);
        if let Err(error) = lasts.and_then(|()| self.file.sync_data()) {
            self.failed = Some(error.to_string());
            self.cut_back()?;
            return Err(error);
        }
        self.length += self.bytes.len() as u64;
        self.look()?;
        Ok(written)
    }

    /// Removes what was not wholly written.
    fn cut_back(&self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length {
            self.file.set_len(self.length)?;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Whether the file still has its name and what was written, and nothing else.
    ///
    /// # Errors
    /// When it was removed, renamed or exchanged, or somebody else wrote to it.
    pub(super) fn check(&self) -> io::Result<()> {
        let found = self.look();
        found.map_err(|error| named(&self.path, self.option, &error))
    }

    fn look(&self) -> io::Result<()> {
        let number = |found: &Metadata| (found.dev(), found.ino());
        let open = self.file.metadata()?;
        let is_there =
            std::fs::metadata(&self.path).is_ok_and(|named| number(&named) == number(&open));
        if is_there && open.len() == self.length {
            return Ok(());
        }
        Err(io::Error::other(if is_there {
            "another program has written to it, or cut it off"
        } else {
            "it was removed, renamed or exchanged while messages were written to it"
        }))
    }
}

fn named(path: &Path, option: &str, error: &io::Error) -> io::Error {
    let text = format!("{option}: {}", reason(path, error));
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests;
