//! Facts as servers write them: `null`, an empty text and nothing at all mean the same.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::notification::error::NotificationError;
use crate::timestamp::Timestamp;

/// A text that says something.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// A size, bytes; Ceph and others write numbers as texts.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
        Other(Value),
    }
    let wrong = |found: &dyn std::fmt::Debug| {
        let text = format!("size: found {found:?}, expected a number of bytes");
        Err(D::Error::custom(text))
    };
    match Option::<Written>::deserialize(from)? {
        None => Ok(None),
        Some(Written::Number(size)) => Ok(Some(size)),
        Some(Written::Text(text)) if text.is_empty() => Ok(None),
        Some(Written::Text(text)) => text.parse().map(Some).or_else(|_| wrong(&text)),
        Some(Written::Other(other)) => wrong(&other),
    }
}

/// An entity tag without the quotes that some servers keep.
pub(super) fn e_tag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let tag = text(from)?;
    let bare = tag.as_deref().map(|tag| tag.trim_matches('"'));
    Ok(bare.filter(|tag| !tag.is_empty()).map(str::to_owned))
}

/// A fact without which there is no event. A made-up time would put the change in a wrong place, an
/// empty key is no object's: the real one is not known.
///
/// # Errors
/// Naming it, when there is none.
pub(super) fn needed<T>(
    fact: Option<T>,
    what: &'static str,
    name: &str,
) -> Result<T, NotificationError> {
    fact.ok_or_else(|| NotificationError::Malformed {
        what,
        reason: format!("{name} is missing or empty"),
    })
}

/// When it happened.
///
/// # Errors
/// When it is missing or no time.
pub(super) fn time(
    written: Option<String>,
    what: &'static str,
    name: &str,
) -> Result<Timestamp, NotificationError> {
    let written = needed(written, what, name)?;
    Timestamp::parse(&written).map_err(|error| NotificationError::Malformed {
        what,
        reason: format!("{name}: {error}"),
    })
}

/// A part of a notification that has these facts.
///
/// # Errors
/// [`NotificationError::Malformed`] when it lacks something, or has it in another shape.
pub(super) fn read<'a, T: Deserialize<'a>>(
    value: &'a Value,
    what: &'static str,
) -> Result<T, NotificationError> {
    T::deserialize(value).map_err(|e| NotificationError::Malformed {
        what,
        reason: e.to_string(),
    })
}
