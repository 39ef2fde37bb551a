//! Whose changes realtime takes.

use std::fmt;

/// The longest name of a bucket.
/// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const LONGEST_NAME: usize = 63;

/// What `CloudFormation` adds to a name that it makes, at most.
const SUFFIX: usize = 13;

/// So much of a stack's name is left when `CloudFormation` shortens a name that it makes. How it
/// does is written nowhere; of those seen, 24 and more were left.
const LEFT: usize = 20;

/// The buckets whose changes are taken (docs/decisions/0021).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Buckets {
    /// All: nobody said which.
    #[default]
    All,
    /// The one of this name.
    Named(String),
    /// Those whose name begins so: `CloudFormation` has made it.
    Begun(String),
}

impl Buckets {
    /// Reads a name, or the beginning of one with an asterisk behind it; nothing is all buckets.
    ///
    /// # Errors
    /// What would have been allowed.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        if written.is_empty() {
            return Ok(Self::All);
        }
        let (name, is_begun) = match written.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (written, false),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(3..=255).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err("the name of a bucket, or the beginning of one and *; unset: all buckets");
        }
        if !is_begun {
            return Ok(Self::Named(name.to_owned()));
        }
        // A stack's name may have capitals, a bucket's may not.
        let mut name = name.to_ascii_lowercase();
        if name.len() + SUFFIX > LONGEST_NAME {
            name.truncate(LEFT);
        }
        Ok(Self::Begun(name))
    }

    /// Whether changes of the bucket of this name are taken.
    #[must_use]
    pub fn has(&self, bucket: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(name) => bucket == name,
            Self::Begun(beginning) => bucket.starts_with(beginning.as_str()),
        }
    }
}

impl fmt::Display for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all buckets"),
            Self::Named(name) => write!(f, "bucket {name}"),
            Self::Begun(beginning) => write!(f, "bucket {beginning}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Result<Buckets, &'static str> {
        Buckets::parse(written)
    }

    #[test]
    fn a_name_is_that_bucket_alone_and_none_is_all() {
        let one = read("ledger").unwrap();
        assert!(one.has("ledger"));
        for other in ["ledger2", "ledge", "Ledger", ""] {
            assert!(!one.has(other), "{other}");
        }
        assert!(read("").unwrap().has("any"));
    }

    #[test]
    fn a_beginning_is_what_cloudformation_makes_of_the_stack() {
        let own = read("My-Stack-bucket-*").unwrap();
        assert!(own.has("my-stack-bucket-kdwwxmddtr2g"));
        for other in ["my-stack-planbucket-kdwwxmddtr2g", "my-stack", "elsewhere"] {
            assert!(!own.has(other), "{other}");
        }
    }

    #[test]
    fn a_beginning_that_is_shortened_still_fits() {
        let long = "a-stack-with-quite-a-long-name-for-the-team-of-b";
        let own = read(&format!("{long}-bucket-*")).unwrap();
        assert!(own.has("a-stack-with-quite-a-lon-bucket-kdwwxmddtr2g"));
        assert!(!own.has("another-stack-bucket-kdwwxmddtr2g"));
        // The longest that is not.
        let fits = "s".repeat(LONGEST_NAME - SUFFIX - "-bucket-".len());
        let own = read(&format!("{fits}-bucket-*")).unwrap();
        assert!(own.has(&format!("{fits}-bucket-kdwwxmddtr2gx")));
        assert!(!own.has(&format!("{fits}-planbucket-kdwwxmddtr2g")));
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for written in [
            "*",
            "s3://ledger",
            "a b c",
            "arn:aws:s3:::ledger",
            "led*ger",
        ] {
            assert!(read(written).is_err(), "{written}");
        }
    }
}
