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

/// Refuses a queue of another region than the function's: requests are signed for the own one, and a role can be
/// given leave for both without that helping. Where one of them is not known, nothing is refused.
///
/// # Errors
/// [`ConfigError`] naming `variable` and both regions.
pub fn check_queue_region(
    variable: &'static str,
    url: &str,
    own: Option<&str>,
) -> Result<(), ConfigError> {
    match (region_of(url), own) {
        (Some(found), Some(own)) if found != own => Err(ConfigError {
            variable,
            found: format!("a queue in {found}, asked from {own}"),
            allowed: "a queue of the function's own region",
        }),
        _ => Ok(()),
    }
}

/// The part of the host behind `sqs`: `sqs.eu-west-1.amazonaws.com`, `vpce-1.sqs.eu-west-1.vpce.amazonaws.com`.
/// Source: AWS General Reference, "Amazon SQS endpoints and quotas".
fn region_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.split(['/', ':']).next()?.split('.');
    parts.find(|part| ["sqs", "sqs-fips"].contains(part))?;
    let region = parts.next()?;
    // `sqs.amazonaws.com` and a host of somebody's own name none.
    let is_region = region.contains('-') && region.ends_with(|c: char| c.is_ascii_digit());
    is_region.then_some(region)
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
