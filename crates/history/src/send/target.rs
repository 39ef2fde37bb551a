//! Where a job's events go.

use std::fmt;
use std::path::PathBuf;

use bridge_core::queue::ordering::{Order, parse_order};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where events go. A job keeps it as a text: a queue as its URL, the others with a scheme of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An SQS queue by its URL.
    Queue(String),
    /// A file by its absolute path.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Nowhere: a dry run that names no target.
    Nowhere,
}

const STDOUT: &str = "stdout:";
const NOWHERE: &str = "nowhere:";
const FILE: &str = "file:";

impl Target {
    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match (text, text.strip_prefix(FILE)) {
            (_, Some(path)) => Self::File(path.into()),
            (STDOUT, _) => Self::Stdout,
            (NOWHERE, _) => Self::Nowhere,
            _ => Self::Queue(text.to_owned()),
        }
    }

    /// The queue's URL, if it is one.
    #[must_use]
    pub fn queue_url(&self) -> Option<&str> {
        match self {
            Self::Queue(url) => Some(url),
            Self::File(_) | Self::Stdout | Self::Nowhere => None,
        }
    }

    /// What order it keeps by default. A file has no groups: its one lane keeps the plan's order. A dry run
    /// without a target counts on the template's queue: FIFO, in order by key.
    #[must_use]
    pub fn default_order(&self) -> Order {
        match self {
            Self::Queue(url) => Order::default_of(url),
            Self::File(_) | Self::Stdout => Order::None,
            Self::Nowhere => Order::Key,
        }
    }

    /// An order by its word, if the target can keep it. A dry run without a target may ask what any order
    /// would cost.
    ///
    /// # Errors
    /// What would have been allowed.
    pub fn parse_order(&self, word: &str) -> Result<Order, &'static str> {
        match self {
            Self::Queue(url) => parse_order(word, url),
            Self::Nowhere => word.parse(),
            Self::File(_) | Self::Stdout => match word.parse()? {
                Order::None => Ok(Order::None),
                Order::Key | Order::Bucket => Err(
                    "none: a file has no message groups; its lines are in the order of the plan",
                ),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(url) => f.write_str(url),
            Self::File(path) => write!(f, "{FILE}{}", path.display()),
            Self::Stdout => f.write_str(STDOUT),
            Self::Nowhere => f.write_str(NOWHERE),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFO: &str = "https://sqs.eu-west-1.amazonaws.com/1/q.fifo";

    #[test]
    fn a_target_is_found_again_by_its_text() {
        for target in [
            Target::Queue(FIFO.to_owned()),
            Target::File("/tmp/a b.jsonl".into()),
            Target::Stdout,
            Target::Nowhere,
        ] {
            assert_eq!(Target::parse(&target.to_string()), target);
            let json = serde_json::to_string(&target).unwrap();
            assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), target);
        }
    }

    #[test]
    fn an_order_is_refused_where_it_cannot_be_kept() {
        let queue = Target::Queue(FIFO.to_owned());
        for (target, word, expected) in [
            (&queue, "key", Ok(Order::Key)),
            (&queue, "none", Err("key or bucket")),
            (&Target::Stdout, "none", Ok(Order::None)),
            (&Target::Stdout, "key", Err("a file has no message groups")),
            (&Target::Nowhere, "key", Ok(Order::Key)),
            (&Target::Nowhere, "bucket", Ok(Order::Bucket)),
            (&Target::Nowhere, "time", Err("key, bucket or none")),
        ] {
            match (target.parse_order(word), expected) {
                (Ok(order), Ok(expected)) => assert_eq!(order, expected, "{target} {word}"),
                (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
                (found, _) => panic!("{target} {word}: {found:?}"),
            }
        }
    }
}
