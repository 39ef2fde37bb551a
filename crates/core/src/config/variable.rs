//! One variable of the environment.

/// Reads variables; in tests, from a map.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A bad variable or option: its name, what was found, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: found {found}, allowed is {allowed}")]
pub struct ConfigError {
    /// The variable's name.
    pub variable: &'static str,
    /// What was found.
    pub found: String,
    /// What would have been accepted.
    pub allowed: &'static str,
}

pub(super) fn required(
    lookup: Lookup<'_>,
    variable: &'static str,
    allowed: &'static str,
) -> Result<String, ConfigError> {
    text(lookup, variable).ok_or(ConfigError {
        variable,
        found: "nothing".to_owned(),
        allowed,
    })
}

/// An empty variable counts as absent: templates pass empty defaults.
pub(super) fn text(lookup: Lookup<'_>, variable: &str) -> Option<String> {
    lookup(variable).filter(|v| !v.is_empty())
}

/// Refuses what cannot be a queue's URL.
///
/// # Errors
/// [`ConfigError`] naming `variable`.
pub fn check_queue_url(variable: &'static str, url: &str) -> Result<(), ConfigError> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    if rest.is_some_and(|r| r.contains('/') && !r.ends_with('/')) {
        return Ok(());
    }
    Err(ConfigError {
        variable,
        found: format!("{url:?}"),
        allowed: "the URL of an SQS queue, https://…/account/name (not its ARN or name)",
    })
}
