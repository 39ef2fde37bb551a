//! What the reseed function needs where live changes may follow a history.

use std::time::Duration;

use crate::config::variable::{ConfigError, Lookup, check_queue_url, text};

/// What the reseed function needs where live changes may follow a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowConfig {
    /// `LIVE_TABLE`: the `DynamoDB` table of places.
    pub table: String,
    /// `BUFFER_MAPPING`: the id of the event source mapping that empties the buffer; none where changes go to
    /// realtime directly.
    pub mapping: Option<String>,
    /// `BUFFER_URL`: the buffer.
    pub buffer_url: Option<String>,
    /// `REALTIME_TIMEOUT`: how long an invocation of realtime may take, seconds.
    pub realtime_timeout: Duration,
    /// `BATCH_WINDOW`: how long a batch of the buffer may be waited for, seconds.
    pub batch_window: Duration,
    /// `BUFFER_RETENTION`: how long the buffer keeps a message, seconds.
    pub buffer_retention: Duration,
}

impl FollowConfig {
    /// `None` where there is no live table.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub(super) fn read(lookup: Lookup<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(table) = text(lookup, "LIVE_TABLE") else {
            return Ok(None);
        };
        let buffer_url = text(lookup, "BUFFER_URL");
        if let Some(url) = &buffer_url {
            check_queue_url("BUFFER_URL", url)?;
        }
        Ok(Some(Self {
            table,
            mapping: text(lookup, "BUFFER_MAPPING"),
            buffer_url,
            realtime_timeout: seconds(lookup, "REALTIME_TIMEOUT", INVOCATION)?,
            batch_window: seconds(lookup, "BATCH_WINDOW", INVOCATION)?,
            buffer_retention: seconds(lookup, "BUFFER_RETENTION", RETENTION)?,
        }))
    }
}

/// The most seconds, and how that is said.
type Most = (u64, &'static str);

/// A quarter of an hour, a function's.
const INVOCATION: Most = (900, "a number of seconds up to 900");

/// Two weeks, a queue's.
const RETENTION: Most = (1_209_600, "a number of seconds up to 1209600");

fn seconds(
    lookup: Lookup<'_>,
    variable: &'static str,
    (most, allowed): Most,
) -> Result<Duration, ConfigError> {
    let found = text(lookup, variable);
    let seconds = found.as_deref().and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|s| *s <= most).ok_or_else(|| ConfigError {
        variable,
        found: found.map_or("nothing".to_owned(), |text| format!("{text:?}")),
        allowed,
    })?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_realtime_knows_how_long() {
        let read = |timeout: &str, window: &str, table: &str| {
            FollowConfig::read(&|name| match name {
                "LIVE_TABLE" => Some(table.to_owned()),
                "REALTIME_TIMEOUT" => Some(timeout.to_owned()),
                "BATCH_WINDOW" => Some(window.to_owned()),
                "BUFFER_RETENTION" => Some("1036800".to_owned()),
                "BUFFER_URL" => Some("https://sqs.x/1/buffer".to_owned()),
                _ => None,
            })
        };
        assert_eq!(read("60", "1", ""), Ok(None), "without a table");
        let config = read("60", "300", "t").unwrap().unwrap();
        assert_eq!(config.realtime_timeout, Duration::from_mins(1));
        assert_eq!(config.batch_window, Duration::from_mins(5));
        assert_eq!(config.buffer_retention, Duration::from_hours(12 * 24));
        for (timeout, window, variable) in [
            ("", "1", "REALTIME_TIMEOUT"),
            ("901", "1", "REALTIME_TIMEOUT"),
            ("60", "-1", "BATCH_WINDOW"),
        ] {
            assert_eq!(read(timeout, window, "t").unwrap_err().variable, variable);
        }
    }
}
