//! The reseed function of a stack.

use anyhow::Context as _;
use bridge_aws::queues::SqsQueues;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_aws::sender::SqsClient;
use bridge_core::queue::error::SendError;
use bridge_core::text::brief;
use bridge_history::api::start::StartRequest;
use bridge_history::job::ports::Queues as _;
use clap::Args;
use serde_json::{Value, json};

use crate::Usage;
use crate::account::Account;
use crate::function::{Function, Unanswered};
use crate::stack::Stack;

/// Whose jobs, and how they are told.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// The deployed stack's name
    #[arg(long, value_name = "NAME")]
    pub(super) stack: String,
    /// Write what the reseed function answers as JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// What the function says of a field, said of the option that it was given by.
fn as_an_option(refusal: &str, stack: &str) -> String {
    let fields = json!(StartRequest::default());
    if let Some((field, reason)) = refusal.split_once(": ")
        && fields.get(field).is_some()
    {
        let words = field.chars().map(|letter| match letter {
            'A'..='Z' => format!("-{}", letter.to_ascii_lowercase()),
            letter => letter.to_string(),
        });
        return format!("--{}: {reason}", words.collect::<String>());
    }
    let list = format!("`s3-sqs-bridge jobs list --stack {stack}`");
    refusal.replace("action \"list\"", &list)
}

/// The reseed function of a stack, and the queues of its jobs.
pub(super) struct Client {
    /// The stack's name.
    pub(super) stack: String,
    function: Function,
    queues: SqsQueues,
}

impl Client {
    /// Of the stack of this name.
    ///
    /// # Errors
    /// When there are no credentials, no region or no such stack.
    pub(super) async fn of(account: &Account, stack: &str) -> anyhow::Result<Self> {
        let config: SdkConfig = account.open("stack").await?;
        let found = Stack::find(&config, stack).await?;
        let function = found.output("ReseedFunction")?.to_owned();
        Ok(Self {
            stack: stack.to_owned(),
            function: Function::new(sdk::lambda(&config), function),
            queues: SqsQueues {
                client: SqsClient::new(&config, sdk::connector()),
                failure_queue: None,
            },
        })
    }

    /// Asks the function.
    ///
    /// # Errors
    /// [`Usage`] for what it refuses of the question.
    pub(super) async fn ask(&self, request: &Value) -> anyhow::Result<Value> {
        self.try_ask(request).await.map_err(|error| {
            if error.is_of_the_input() {
                return Usage(as_an_option(&error.to_string(), &self.stack)).into();
            }
            anyhow::Error::new(error).context(format!("invoking {}", self.function.name))
        })
    }

    /// As [`ask`](Self::ask); the error as it is.
    ///
    /// # Errors
    /// [`Unanswered`]
    pub(super) async fn try_ask(&self, request: &Value) -> Result<Value, Unanswered> {
        self.function.ask(request).await
    }

    /// The jobs in an answer to `list`.
    ///
    /// # Errors
    /// When there are none in it.
    pub(super) fn jobs_of<'a>(&self, page: &'a Value) -> anyhow::Result<&'a Vec<Value>> {
        let name = &self.function.name;
        let jobs = page["jobs"].as_array();
        jobs.with_context(|| format!("{name} answered no jobs: {}", brief(&page.to_string())))
    }

    /// The id of the newest job.
    ///
    /// # Errors
    /// [`Usage`], when there is none.
    pub(super) async fn newest(&self) -> anyhow::Result<String> {
        let page = self.ask(&json!({ "action": "list", "limit": 1 })).await?;
        let newest = self.jobs_of(&page)?.first();
        let id = newest.and_then(|job| job["jobId"].as_str());
        let id = id.ok_or_else(|| Usage(self.no_jobs()))?;
        Ok(id.to_owned())
    }

    /// Says that there are none, and what starts one.
    pub(super) fn no_jobs(&self) -> String {
        let stack = &self.stack;
        format!(
            "stack {stack} has no jobs yet: `s3-sqs-bridge jobs start --stack {stack}` starts one"
        )
    }

    /// How many messages wait in a queue.
    ///
    /// # Errors
    /// SQS's refusal.
    pub(super) async fn depth(&self, queue_url: &str) -> Result<u64, SendError> {
        self.queues.open(queue_url).depth().await
    }
}
