//! The environment of both functions and the command, checked at the door.

mod bucket;
mod follow;
mod variable;

use std::time::Duration;

pub use crate::config::bucket::check_bucket;
pub use crate::config::follow::FollowConfig;
pub use crate::config::variable::{ConfigError, Lookup, check_queue_region, check_queue_url};
use crate::config::variable::{required, text};
use crate::format::Format;
use crate::notification::buckets::Buckets;
use crate::queue::ordering::{Order, parse_order};

/// How long a lease lasts, unless said otherwise: about a minute.
pub const DEFAULT_LEASE: Duration = Duration::from_mins(1);

/// What both functions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `QUEUE_URL`: where messages go.
    pub queue_url: String,
    /// `MESSAGE_FORMAT`: `bridge` (default) or `s3`.
    pub format: Format,
    /// `ORDER`: default `key` on a FIFO queue, `none` on a standard one.
    pub order: Order,
    /// `KEY_PREFIX`: only keys that begin so; default all.
    pub key_prefix: String,
    /// `KEY_SUFFIX`: only keys that end so; default all.
    pub key_suffix: String,
    /// `AWS_REGION`: fills `awsRegion` of the `s3` format.
    pub region: String,
}

/// What the realtime function needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealtimeConfig {
    /// The common part.
    pub common: Config,
    /// `BUCKET_NAME`: whose changes are taken; default all.
    pub buckets: Buckets,
    /// `LIVE_ORDER` and `LIVE_TABLE`: which changes are sent.
    pub live: LiveConfig,
}

/// Which changes realtime sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveConfig {
    /// `LIVE_ORDER=notified` (default).
    Notified,
    /// `LIVE_ORDER=newest`.
    Newest {
        /// `LIVE_TABLE`: the `DynamoDB` table of places.
        table: String,
    },
    /// `LIVE_ORDER=exact`.
    Exact {
        /// `LIVE_TABLE`: the `DynamoDB` table of places.
        table: String,
    },
}

impl RealtimeConfig {
    /// Reads and checks all variables of the realtime function.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let common = Config::read(lookup)?;
        Ok(Self {
            live: LiveConfig::read(lookup, common.order)?,
            buckets: read_buckets(lookup)?,
            common,
        })
    }
}

/// What only the reseed function needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReseedConfig {
    /// The common part.
    pub common: Config,
    /// `BUCKET_NAME`: the bucket whose history is replayed.
    pub bucket: String,
    /// `CHECKPOINT_TABLE`: the `DynamoDB` table of the jobs.
    pub table: String,
    /// `PLAN_BUCKET`: where plans are kept.
    pub plan_bucket: String,
    /// `FAILURE_QUEUE_URL`: where events are parked that cannot be delivered; without, none can be.
    pub failure_queue: Option<String>,
    /// `LEASE_SECONDS`: how long a segment's right to its job lasts unless renewed; default 60.
    pub lease: Duration,
    /// What live changes need that follow a history, where there is a live table.
    pub follow: Option<FollowConfig>,
    /// What tells the ids of jobs made here from those of any other place; `None` where one table knows all jobs, so
    /// that their number tells them apart.
    pub salt: Option<u64>,
}

impl Config {
    /// Reads and checks the common variables.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let queue_url = required(lookup, "QUEUE_URL", "the URL of an SQS queue")?;
        check_queue_url("QUEUE_URL", &queue_url)?;
        let region = text(lookup, "AWS_REGION");
        check_queue_region("QUEUE_URL", &queue_url, region.as_deref())?;
        let order = match text(lookup, "ORDER").as_deref() {
            None => Order::default_of(&queue_url),
            Some(word) => parse_order(word, &queue_url).map_err(|allowed| ConfigError {
                variable: "ORDER",
                found: format!("{word:?}"),
                allowed,
            })?,
        };
        Ok(Self {
            order,
            format: match text(lookup, "MESSAGE_FORMAT").as_deref() {
                None => Format::default(),
                Some(word) => word.parse().map_err(|allowed| ConfigError {
                    variable: "MESSAGE_FORMAT",
                    found: format!("{word:?}"),
                    allowed,
                })?,
            },
            key_prefix: text(lookup, "KEY_PREFIX").unwrap_or_default(),
            key_suffix: text(lookup, "KEY_SUFFIX").unwrap_or_default(),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            queue_url,
        })
    }
}

impl ReseedConfig {
    /// Reads and checks all variables of the reseed function.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            common: Config::read(lookup)?,
            bucket: bucket::required(lookup, "BUCKET_NAME")?,
            table: required(lookup, "CHECKPOINT_TABLE", "the name of a DynamoDB table")?,
            plan_bucket: bucket::required(lookup, "PLAN_BUCKET")?,
            failure_queue: match text(lookup, "FAILURE_QUEUE_URL") {
                None => None,
                Some(url) => {
                    check_queue_url("FAILURE_QUEUE_URL", &url)?;
                    Some(url)
                }
            },
            lease: match text(lookup, "LEASE_SECONDS") {
                None => DEFAULT_LEASE,
                Some(seconds) => read_lease(&seconds)?,
            },
            follow: FollowConfig::read(lookup)?,
            salt: None,
        })
    }
}

impl LiveConfig {
    fn read(lookup: Lookup<'_>, order: Order) -> Result<Self, ConfigError> {
        let word = text(lookup, "LIVE_ORDER").unwrap_or_default();
        let refused = |allowed| ConfigError {
            variable: "LIVE_ORDER",
            found: format!("{word:?}"),
            allowed,
        };
        let table = || required(lookup, "LIVE_TABLE", "the name of a DynamoDB table");
        match (word.as_str(), order) {
            ("" | "notified", _) => Ok(Self::Notified),
            ("newest" | "exact", Order::None) => Err(refused(
                "notified: a standard queue keeps no order; use a FIFO queue (its name ends in .fifo)",
            )),
            ("newest", _) => Ok(Self::Newest { table: table()? }),
            ("exact", Order::Key) => Ok(Self::Exact { table: table()? }),
            ("exact", Order::Bucket) => Err(refused(
                "notified or newest with ORDER=bucket: exact is an order of each key",
            )),
            _ => Err(refused("notified, newest or exact")),
        }
    }
}

fn read_buckets(lookup: Lookup<'_>) -> Result<Buckets, ConfigError> {
    let written = text(lookup, "BUCKET_NAME").unwrap_or_default();
    Buckets::parse(&written).map_err(|allowed| ConfigError {
        variable: "BUCKET_NAME",
        found: format!("{written:?}"),
        allowed,
    })
}

/// A lease must outlast a request and the wait for its renewal.
fn read_lease(text: &str) -> Result<Duration, ConfigError> {
    let seconds = text.parse().ok().filter(|s| (15..=900).contains(s));
    let seconds = seconds.ok_or_else(|| ConfigError {
        variable: "LEASE_SECONDS",
        found: format!("{text:?}"),
        allowed: "a number of seconds from 15 to 900",
    })?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFO: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/q.fifo";
    const STANDARD: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/q";

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(&|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
        .map_err(|e| e.to_string())
    }

    #[test]
    fn order_defaults_to_what_the_queue_can_keep() {
        assert_eq!(read(&[("QUEUE_URL", FIFO)]).unwrap().order, Order::Key);
        assert_eq!(read(&[("QUEUE_URL", STANDARD)]).unwrap().order, Order::None);
    }

    #[test]
    fn a_bad_variable_is_named_with_what_was_found_and_what_is_allowed() {
        for (variables, expected) in [
            (
                &[][..],
                "QUEUE_URL: found nothing, allowed is the URL of an SQS queue",
            ),
            (
                &[("QUEUE_URL", "arn:aws:sqs:eu-west-1:1:q")],
                "QUEUE_URL: found \"arn:aws:sqs:eu-west-1:1:q\", allowed is the URL of an SQS \
                 queue, https://…/account/name (not its ARN or name)",
            ),
            (
                &[("QUEUE_URL", FIFO), ("MESSAGE_FORMAT", "xml")],
                "MESSAGE_FORMAT: found \"xml\", allowed is bridge or s3",
            ),
            (
                &[("QUEUE_URL", FIFO), ("ORDER", "time")],
                "ORDER: found \"time\", allowed is key, bucket or none",
            ),
            (
                &[("QUEUE_URL", STANDARD), ("ORDER", "key")],
                "ORDER: found \"key\", allowed is none: a standard queue keeps no order; use a \
                 FIFO queue (its name ends in .fifo)",
            ),
            (
                &[("QUEUE_URL", FIFO), ("ORDER", "none")],
                "ORDER: found \"none\", allowed is key or bucket: every message of a FIFO queue has \
                 a group",
            ),
        ] {
            assert_eq!(read(variables).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_queue_of_another_region_is_refused() {
        let of = |url: &str, region: &str| read(&[("QUEUE_URL", url), ("AWS_REGION", region)]);
        for (url, region) in [
            (FIFO, "eu-west-1"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"),
            ("https://sqs-fips.us-east-1.amazonaws.com/1/q", "us-east-1"),
            (
                "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/q",
                "us-east-1",
            ),
            // Nobody can tell.
            ("http://127.0.0.1:4566/1/q", "us-east-1"),
            (FIFO, ""),
        ] {
            assert!(of(url, region).is_ok(), "{url} {region}");
        }
        for url in [FIFO, "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q"] {
            let told = of(url, "us-east-1").unwrap_err();
            assert!(
                told.starts_with("QUEUE_URL: found a queue in eu-west-1, asked from us-east-1"),
                "{told}"
            );
        }
    }

    #[test]
    fn newest_and_exact_need_a_queue_that_keeps_order_and_a_table() {
        let read = |queue: &str, order: &str, table: &str| {
            let found = RealtimeConfig::read(&|name| match name {
                "QUEUE_URL" => Some(queue.to_owned()),
                "LIVE_ORDER" => Some(order.to_owned()),
                "LIVE_TABLE" => Some(table.to_owned()),
                _ => None,
            });
            found.map(|config| config.live).map_err(|e| e.to_string())
        };
        assert_eq!(read(STANDARD, "", ""), Ok(LiveConfig::Notified));
        let table = "t".to_owned();
        assert_eq!(read(FIFO, "newest", "t"), Ok(LiveConfig::Newest { table }));
        let table = "t".to_owned();
        assert_eq!(read(FIFO, "exact", "t"), Ok(LiveConfig::Exact { table }));
        for (queue, order, parts) in [
            (STANDARD, "newest", ["LIVE_ORDER", "FIFO queue"]),
            (STANDARD, "exact", ["LIVE_ORDER", "FIFO queue"]),
            (FIFO, "newest", ["LIVE_TABLE", "DynamoDB table"]),
            (FIFO, "exact", ["LIVE_TABLE", "DynamoDB table"]),
            (FIFO, "latest", ["\"latest\"", "notified, newest or exact"]),
        ] {
            let error = read(queue, order, "").unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn a_lease_is_long_enough_for_a_request() {
        let read = |lease: &str| {
            ReseedConfig::read(&|name| match name {
                "QUEUE_URL" => Some(FIFO.to_owned()),
                "LEASE_SECONDS" => Some(lease.to_owned()),
                _ => Some("a-name".to_owned()).filter(|_| {
                    let others = ["ORDER", "MESSAGE_FORMAT", "FAILURE_QUEUE_URL", "LIVE_TABLE"];
                    !others.contains(&name) && name != "AWS_REGION"
                }),
            })
        };
        assert_eq!(read("").unwrap().lease, Duration::from_mins(1));
        assert_eq!(read("20").unwrap().lease, Duration::from_secs(20));
        for lease in ["14", "901", "-1", "soon"] {
            let error = read(lease).unwrap_err().to_string();
            assert!(
                error.contains("LEASE_SECONDS") && error.contains("15 to 900"),
                "{error}"
            );
        }
    }

    #[test]
    fn both_buckets_of_the_reseed_function_are_names() {
        for variable in ["BUCKET_NAME", "PLAN_BUCKET"] {
            let error = ReseedConfig::read(&|name| match name {
                "QUEUE_URL" => Some(FIFO.to_owned()),
                "ORDER" | "MESSAGE_FORMAT" | "LIVE_TABLE" | "AWS_REGION" => None,
                _ if name == variable => Some("s3://ledger".to_owned()),
                _ => Some("a-name".to_owned()),
            })
            .unwrap_err();
            assert_eq!(
                (error.variable, error.found.as_str()),
                (variable, "\"s3://ledger\"")
            );
        }
    }

    #[test]
    fn the_reseed_function_also_needs_bucket_table_and_plan_bucket() {
        let error =
            ReseedConfig::read(&|name| (name == "QUEUE_URL").then(|| FIFO.to_owned())).unwrap_err();
        assert_eq!(error.variable, "BUCKET_NAME");
    }
}
