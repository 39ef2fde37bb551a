//! A function of a stack, asked and answered.

use std::fmt;
use std::time::Duration;

use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use bridge_aws::request_error::RequestError;
use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::Value;

/// The longest that an action may take: some ask a bucket, a queue and a table that do not answer.
const ANSWER: Duration = Duration::from_mins(1);

/// A function that is invoked, and waited for.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    client: aws_sdk_lambda::Client,
    /// Its name.
    pub name: String,
}

/// Why it gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Lambda could not be asked, or refused.
    Request(RequestError),
    /// It answered that it failed.
    Failed {
        /// `errorType`: `BadRequest`, `Runtime.InvalidEntrypoint` …
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// What it answered is no JSON.
    NoJson(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "{error}"),
            // What it refuses of an input speaks for itself.
            Self::Failed { kind, message } if is_of_the_input(kind) => f.write_str(message),
            Self::Failed { kind, message } => write!(f, "{kind}: {message}"),
            Self::NoJson(found) => write!(f, "the answer is no JSON: {found}"),
        }
    }
}

impl std::error::Error for Unanswered {}

impl Unanswered {
    /// Whether another question is needed, not another attempt.
    pub(crate) fn is_of_the_input(&self) -> bool {
        matches!(self, Self::Failed { kind, .. } if is_of_the_input(kind))
    }
}

fn is_of_the_input(kind: &str) -> bool {
    ["BadRequest", "NoSuchJob", "WrongPhase"].contains(&kind)
}

impl Function {
    /// The function of this name.
    pub(crate) fn new(client: aws_sdk_lambda::Client, name: String) -> Self {
        Self { client, name }
    }

    /// Invokes it and waits for its answer.
    ///
    /// # Errors
    /// [`Unanswered`]
    pub(crate) async fn ask(&self, input: &Value) -> Result<Value, Unanswered> {
        let limits = TimeoutConfig::builder().operation_attempt_timeout(ANSWER);
        let limits = aws_sdk_lambda::config::Config::builder().timeout_config(limits.build());
        let invoke = self.client.invoke().function_name(&self.name);
        let invoke = invoke.payload(Blob::new(input.to_string()));
        let answer = invoke.customize().config_override(limits).send().await;
        let answer = answer.map_err(|e| Unanswered::Request(RequestError::of(&e)))?;
        let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
        let document = serde_json::from_slice::<Value>(payload);
        match (document, answer.function_error()) {
            (Ok(answer), None) => Ok(answer),
            (Ok(error), Some(_)) => {
                let text =
                    |name: &str| shown(error[name].as_str().unwrap_or_default(), 4 * MOST_SHOWN);
                Err(Unanswered::Failed {
                    kind: text("errorType"),
                    message: text("errorMessage"),
                })
            }
            (Err(_), _) => {
                let found = String::from_utf8_lossy(payload);
                Err(Unanswered::NoJson(shown(&found, MOST_SHOWN)))
            }
        }
    }
}
