//! What `serve` is told: its options and the environment, checked at the door.

use std::net::SocketAddr;
use std::path::PathBuf;

use bridge_core::config::{Lookup, RealtimeConfig, check_queue_url};
use clap::Args;

use crate::Usage;
use crate::values::number;

/// Whoever hands notifications over by HTTP must know it.
pub(crate) const NOTIFICATIONS_TOKEN: &str = "NOTIFICATIONS_TOKEN";

/// Whoever asks for jobs by HTTP must know it.
pub(crate) const OPERATOR_TOKEN: &str = "OPERATOR_TOKEN";

/// Where jobs park what their queue refuses for good.
const FAILURE_QUEUE_URL: &str = "FAILURE_QUEUE_URL";

/// Bytes of a token, at least: one that can be guessed is none.
const LEAST_TOKEN: usize = 16;

/// Stands for a table's name where the environment gives none. No table can have this name.
const IN_STATE: &str = "(the state directory)";

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Take notifications from this SQS queue; without it, by HTTP only
    ///
    /// S3 tells it of changes, directly or by the event bus or SNS. A message is deleted once all of it is
    /// forwarded; what cannot be forwarded stays, and comes again, until the queue's own redrive policy takes it.
    #[arg(long, value_name = "URL")]
    pub notifications_queue_url: Option<String>,
    /// Answer HTTP at this address and port: notifications, jobs, health, metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where jobs, their plans and the places of keys are kept; one process works in it at a time
    #[arg(long, value_name = "DIR", default_value = ".s3-sqs-bridge")]
    pub state: PathBuf,
    /// Batches of the queue, or HTTP requests, forwarded at the same time, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = number(1_u16, 1024))]
    pub concurrency: u16,
    /// Seconds, after a signal, to finish what was taken, 1 to 900
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = number(1_u16, 900))]
    pub grace: u16,
}

/// All of it, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Which changes are sent, where to, and how.
    pub realtime: RealtimeConfig,
    /// Whether the places of keys are in the state directory, and not in a table.
    pub is_local: bool,
    /// What a request with notifications must carry; `None`: none is taken.
    pub token: Option<String>,
    /// What a request for jobs must carry; `None`: none is taken.
    pub operator_token: Option<String>,
    /// Where jobs park what their queue refuses for good.
    pub failure_queue: Option<String>,
}

impl Settings {
    /// Checks options and environment; requests are signed for `region`.
    ///
    /// # Errors
    /// [`Usage`], naming what is wrong.
    pub(crate) fn read(
        arguments: &ServeArguments,
        region: &str,
        lookup: Lookup<'_>,
    ) -> Result<Self, Usage> {
        let given = |name: &str| lookup(name).filter(|text| !text.is_empty());
        let is_local = given("LIVE_TABLE").is_none();
        let realtime = RealtimeConfig::read(&|name| match name {
            "LIVE_TABLE" => given(name).or_else(|| Some(IN_STATE.to_owned())),
            "AWS_REGION" => Some(region.to_owned()),
            _ => lookup(name),
        });
        let realtime = realtime.map_err(|error| Usage(error.to_string()))?;
        let token = given(NOTIFICATIONS_TOKEN);
        let operator_token = given(OPERATOR_TOKEN);
        for (name, token) in [
            (NOTIFICATIONS_TOKEN, &token),
            (OPERATOR_TOKEN, &operator_token),
        ] {
            token
                .as_deref()
                .map_or(Ok(()), |token| check_token(name, token))?;
        }
        if token.is_some() && token == operator_token {
            return Err(Usage(format!(
                "{OPERATOR_TOKEN}: found the text of {NOTIFICATIONS_TOKEN}, allowed is another: whoever notifies could \
                 start and cancel jobs"
            )));
        }
        let failure_queue = given(FAILURE_QUEUE_URL);
        if let Some(url) = &failure_queue {
            check_queue_url(FAILURE_QUEUE_URL, url).map_err(|error| Usage(error.to_string()))?;
        }
        match &arguments.notifications_queue_url {
            Some(url) => {
                check_queue_url("--notifications-queue-url", url)
                    .map_err(|error| Usage(error.to_string()))?;
            }
            None if token.is_none() => {
                return Err(Usage(format!(
                    "serve has no source: give it --notifications-queue-url, or set {NOTIFICATIONS_TOKEN} \
                     for notifications by HTTP"
                )));
            }
            None => {}
        }
        let notifications = arguments.notifications_queue_url.as_deref();
        for (name, url) in [
            ("QUEUE_URL", Some(&realtime.common.queue_url)),
            (FAILURE_QUEUE_URL, failure_queue.as_ref()),
        ] {
            if let Some(url) = url {
                check_target(name, url, notifications).map_err(Usage)?;
            }
        }
        Ok(Self {
            realtime,
            is_local,
            token,
            operator_token,
            failure_queue,
        })
    }
}

/// Refuses the queue of notifications as one that is sent to, which `name` gives.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_target(
    name: &str,
    url: &str,
    notifications: Option<&str>,
) -> Result<(), String> {
    if notifications != Some(url) {
        return Ok(());
    }
    Err(format!(
        "{name}: found {url:?}, allowed is another queue than that of --notifications-queue-url: what is sent would be \
         taken for what happened"
    ))
}

/// Whether it fits into one header behind `Bearer`, and cannot be guessed. It is not shown.
fn check_token(name: &str, token: &str) -> Result<(), Usage> {
    let is_fit = token.len() >= LEAST_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_fit {
        return Ok(());
    }
    Err(Usage(format!(
        "{name}: found {} bytes, allowed are {LEAST_TOKEN} or more visible ASCII characters without \
         spaces",
        token.len()
    )))
}

#[cfg(test)]
mod tests {
    use bridge_core::config::LiveConfig;

    use super::*;

    const FIFO: &str = "https://sqs.eu-west-1.amazonaws.com/1/q.fifo";
    const SOURCE: &str = "https://sqs.eu-west-1.amazonaws.com/1/notifications";

    fn read(source: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let arguments = ServeArguments {
            notifications_queue_url: source.map(str::to_owned),
            listen: "127.0.0.1:0".parse().unwrap(),
            state: PathBuf::new(),
            concurrency: 1,
            grace: 1,
        };
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&arguments, "eu-west-1", &lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named() {
        let queue = ("QUEUE_URL", FIFO);
        for (source, variables, parts) in [
            (
                None,
                &[queue][..],
                ["--notifications-queue-url", "NOTIFICATIONS_TOKEN"],
            ),
            (Some(SOURCE), &[], ["QUEUE_URL", "nothing"]),
            (
                Some(FIFO),
                &[queue],
                ["QUEUE_URL", "another queue than that of --notifications"],
            ),
            (
                Some(SOURCE),
                &[queue, ("FAILURE_QUEUE_URL", SOURCE)],
                [
                    "FAILURE_QUEUE_URL",
                    "another queue than that of --notifications",
                ],
            ),
            (
                Some("q"),
                &[queue],
                ["--notifications-queue-url", "https://"],
            ),
            (
                None,
                &[queue, ("NOTIFICATIONS_TOKEN", "short")],
                ["NOTIFICATIONS_TOKEN", "5 bytes"],
            ),
            (
                None,
                &[queue, ("NOTIFICATIONS_TOKEN", "two words and some more")],
                ["NOTIFICATIONS_TOKEN", "without spaces"],
            ),
            (
                None,
                &[
                    queue,
                    ("NOTIFICATIONS_TOKEN", "the-same-for-both-of-them"),
                    ("OPERATOR_TOKEN", "the-same-for-both-of-them"),
                ],
                ["OPERATOR_TOKEN", "allowed is another"],
            ),
            (
                Some(SOURCE),
                &[queue, ("LIVE_ORDER", "last")],
                ["LIVE_ORDER", "notified, newest or exact"],
            ),
        ] {
            let error = read(source, variables).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn places_are_in_the_state_directory_unless_a_table_is_named() {
        let settings = read(
            Some(SOURCE),
            &[("QUEUE_URL", FIFO), ("LIVE_ORDER", "newest")],
        );
        assert!(settings.unwrap().is_local);
        let named = [
            ("QUEUE_URL", FIFO),
            ("LIVE_ORDER", "newest"),
            ("LIVE_TABLE", "t"),
        ];
        let settings = read(Some(SOURCE), &named).unwrap();
        assert!(!settings.is_local);
        let table = "t".to_owned();
        assert_eq!(settings.realtime.live, LiveConfig::Newest { table });
    }
}
