//! What options may be set to.

use std::fmt::Display;
use std::str::FromStr;

use bridge_core::timestamp::Timestamp;
use serde::de::value::Error as WordError;
use serde::de::{DeserializeOwned, IntoDeserializer as _};

/// A point in time.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|e| e.to_string())
}

/// One of a few words, as requests and stored jobs have them.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(text.into_deserializer()).map_err(|error: WordError| error.to_string())
}

/// How many of something work at once, or are shown.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    between(text, 1, 1024)
}

/// MiB.
pub(crate) fn memory(text: &str) -> Result<usize, String> {
    between(text, 16, 1024 * 1024)
}

/// A number from `least` to `most`.
pub(crate) fn number<T: FromStr + PartialOrd + Display + Copy>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| between(text, least, most)
}

fn between<T: FromStr + PartialOrd + Display>(text: &str, least: T, most: T) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|number| (&least..=&most).contains(&number))
        .ok_or_else(|| format!("allowed is a number from {least} to {most}"))
}
