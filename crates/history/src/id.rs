//! What names a job, and which of its segments speaks.

use std::fmt;
use std::str::FromStr;

use bridge_core::text::shown;
use serde::{Deserialize, Deserializer, Serialize};

/// The longest job id, bytes; those made here have about 25.
const MOST_ID: usize = 64;

/// Bytes of a text that an error repeats.
const MOST_ECHOED: usize = 200;

/// The id of a job: `20240501-1a2b3c4d-1`, the day, the digest of what was asked (and of
/// where, if no table knows all jobs), a count.
///
/// It is a key of the table, part of names in the plan bucket, and a folder's name, so whatever comes
/// from outside is parsed. What a store holds is taken as it stands ([`JobId::stored`]). It has no
/// `Deserialize`, so each field says which of the two it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobId(String);

/// A text that cannot be a job's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {:?}, allowed are letters, digits and hyphens, {MOST_ID} at most, such as \
     20240501-1a2b3c4d-1",
    shown(found, MOST_ECHOED)
)]
pub struct JobIdError {
    found: String,
}

impl JobId {
    /// The id of the job of this number among those of one day (`20240501`) that were asked for the same.
    #[must_use]
    pub fn numbered(day: &str, digest: &str, number: u64) -> Self {
        Self(format!("{day}-{digest}-{number}"))
    }

    /// The name of something that a store holds; it may be no id that this program gave.
    #[must_use]
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    /// Reads a field of a stored form: as it stands, see [`JobId::stored`].
    ///
    /// # Errors
    /// The deserialiser's, when it is no text.
    pub(crate) fn deserialize_stored<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::stored)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest of what was asked for; empty in a name that is no id.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (1..=MOST_ID).contains(&text.len()) && text.bytes().all(is_allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(JobIdError {
            found: text.to_owned(),
        })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The fencing number of a job: one higher each time that another segment takes it or an operator ends
/// or resumes it. Who holds an older one may write nothing any more.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of whoever has the job next.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_plain_short_name() {
        let id = JobId::numbered("20240501", "1a2b3c4d", 7);
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_eq!(id.digest(), "1a2b3c4d");
        for text in ["", "../x", "a/b", "a b", "é", &"x".repeat(65)] {
            let error = text.parse::<JobId>().unwrap_err().to_string();
            assert!(error.contains("letters, digits and hyphens"), "{error}");
        }
    }

    #[test]
    fn an_epoch_is_written_with_zeros_where_names_are_sorted() {
        assert_eq!(format!("{:06}", Epoch(41).next()), "000042");
    }
}
