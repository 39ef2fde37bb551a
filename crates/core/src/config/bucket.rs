//! What can be a bucket's name.

use crate::config::variable::{self, ConfigError, Lookup};
use crate::text::{MOST_SHOWN, shown};

/// Bytes of a name: S3's oldest rule.
const LONGEST: usize = 255;

/// Reserved endings of access point aliases, which S3 takes where it takes a bucket's name.
const ALIASES: [&str; 2] = ["-s3alias", "--ol-s3"];

const ALLOWED: &str = "the bucket's own name: up to 255 letters, digits, `.`, `-` and `_` (no s3:// or path; no ARN or \
     access point: events name the bucket, and their ids depend on it)";

/// Refuses what cannot be a bucket's name.
///
/// It is as permissive as S3's oldest rules, by which buckets of 255 characters with upper case and `_`
/// were made that are still there, and asks for no least length, as other servers do not; `:` stands
/// behind a tenant's name at Ceph. ARNs and access point aliases are refused though S3 would list
/// through them: an event's `bucket`, and with it its id, would not be what realtime says of the same
/// change.
/// Source: Amazon S3 User Guide, "General purpose bucket naming rules", and its older versions.
///
/// # Errors
/// [`ConfigError`] naming `variable`.
pub fn check_bucket(variable: &'static str, name: &str) -> Result<(), ConfigError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let is_name = (1..=LONGEST).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with("arn:")
        && !ALIASES.iter().any(|alias| name.ends_with(alias));
    if is_name {
        return Ok(());
    }
    Err(ConfigError {
        variable,
        found: format!("\"{}\"", shown(name, MOST_SHOWN)),
        allowed: ALLOWED,
    })
}

/// A variable that must name a bucket.
pub(super) fn required(lookup: Lookup<'_>, variable: &'static str) -> Result<String, ConfigError> {
    let name = variable::required(lookup, variable, "the name of a bucket")?;
    check_bucket(variable, &name)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_s3_ever_gave_is_taken() {
        let long = "a".repeat(255);
        for name in [
            "ledger",
            "b",
            "My_Bucket.of-2009",
            "192.168.0.1",
            "-a-",
            "tenant:ledger",
            &long,
        ] {
            assert_eq!(check_bucket("BUCKET_NAME", name), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_told_with_what_is_allowed() {
        let long = "a".repeat(256);
        for name in [
            "",
            "s3://b",
            "a/b",
            "b/",
            "a b",
            "é",
            "a\u{1b}[2J",
            "https://b.s3.amazonaws.com",
            "arn:aws:s3:::b",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/p",
            "p-k1ok1jex3aqwbfgeps45zdbnzmnyeuw1a-s3alias",
            "p-k1ok1jex3aqwbfgeps45zdbnzmnyeuw1a--ol-s3",
            &long,
        ] {
            let error = check_bucket("BUCKET_NAME", name).unwrap_err().to_string();
            for part in [
                "BUCKET_NAME: found \"",
                &shown(name, MOST_SHOWN),
                "own name",
                "255",
            ] {
                assert!(error.contains(part), "{part:?} is not in: {error}");
            }
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }
}
