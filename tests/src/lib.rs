//! A deployed stack as tests see it: from outside, by AWS's own interfaces.

pub mod aws;
pub mod compose;
mod deploy;
pub mod history;
pub mod jobs;
#[cfg(target_os = "linux")]
pub mod kill;
pub mod latency;
pub mod permissions;

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, InvocationType};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;

use crate::history::replayed::program;

/// Deployed with the template's defaults.
pub const STACK: &str = "e2e";
/// Its segments last two seconds.
pub const SHORT_STACK: &str = "e2e-short";
/// Its processes may be killed by a test.
pub const KILLED_STACK: &str = "e2e-killed";
/// Its processes are killed again and again: leases of 15 seconds.
pub const KILLS_STACK: &str = "e2e-kills";
/// Deployed anew while a job is in flight.
pub const UPGRADED_STACK: &str = "e2e-upgraded";
/// Writes `format = s3`, and may be broken by a test.
pub const BROKEN_STACK: &str = "e2e-broken";

/// Clients for a stack, and its outputs.
pub struct Stack {
    /// The stack's name.
    pub name: String,
    status: Option<StackStatus>,
    outputs: HashMap<String, String>,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
}

/// A message as a consumer gets it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The body as it came.
    pub raw: String,
    /// The body.
    pub body: Value,
    /// Message attributes.
    pub attributes: HashMap<String, String>,
    /// The message group.
    pub group: Option<String>,
    /// When the queue took it, ms.
    pub sent_at: i64,
}

impl Received {
    /// A text field of the body.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// The sequences of a reseed's message, packed or not.
    #[must_use]
    pub fn sequences(&self) -> Vec<u64> {
        match self.attributes.get("sequence") {
            Some(listed) => bridge_sim::consumer::numbers(listed),
            None => vec![self.sequence()],
        }
    }

    /// The sequence of a reseed's event; 0 if there is none.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.body["sequence"].as_u64().unwrap_or_default()
    }
}

impl Stack {
    /// Connects to a deployed stack.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connect(name: &str) -> anyhow::Result<Self> {
        if std::env::var_os("AWS_ENDPOINT_URL").is_none() {
            bail!("these tests need the local AWS: run them with `cargo xtask test`");
        }
        let config = aws::load().await;
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        let answer = cloudformation
            .describe_stacks()
            .stack_name(name)
            .send()
            .await;
        let answer = answer.with_context(|| format!("describing stack {name}"))?;
        let stack = answer.stacks().first().context("no such stack")?;
        let outputs = stack
            .outputs()
            .iter()
            .filter_map(|o| Some((o.output_key()?.to_owned(), o.output_value()?.to_owned())))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            status: stack.stack_status().cloned(),
            outputs,
            s3: bridge_aws::sdk::s3(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
        })
    }

    /// An output of the template.
    ///
    /// # Panics
    /// When the template has no such output.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        &self.outputs[name]
    }

    /// Writes an object; its version id.
    ///
    /// # Errors
    /// S3's.
    pub async fn put(&self, key: &str, body: &str) -> anyhow::Result<String> {
        let put = self.s3.put_object().bucket(self.output("BucketName"));
        let answer = put
            .key(key)
            .body(body.as_bytes().to_vec().into())
            .send()
            .await;
        let answer = answer.with_context(|| format!("putting {key}"))?;
        Ok(answer.version_id().unwrap_or("null").to_owned())
    }

    /// Deletes an object; the delete marker's version id.
    ///
    /// # Errors
    /// S3's.
    pub async fn delete(&self, key: &str) -> anyhow::Result<String> {
        let delete = self.s3.delete_object().bucket(self.output("BucketName"));
        let answer = delete.key(key).send().await;
        let answer = answer.with_context(|| format!("deleting {key}"))?;
        Ok(answer.version_id().unwrap_or("null").to_owned())
    }

    /// Creates a FIFO queue like the template's; its URL.
    ///
    /// # Errors
    /// SQS's.
    pub async fn create_queue(&self, name: &str) -> anyhow::Result<String> {
        let answer = self
            .sqs
            .create_queue()
            .queue_name(format!("{name}.fifo"))
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::DeduplicationScope, "messageGroup")
            .attributes(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId")
            .send()
            .await?;
        Ok(answer.queue_url().context("no queue URL")?.to_owned())
    }

    /// Deletes a queue with all that is in it.
    ///
    /// # Errors
    /// SQS's.
    pub async fn delete_queue(&self, url: &str) -> anyhow::Result<()> {
        let delete = self.sqs.delete_queue().queue_url(url).send().await;
        delete.with_context(|| format!("deleting {url}"))?;
        Ok(())
    }

    /// Reads and deletes messages until `wanted` of them satisfy `counts`, or time is up. Returns
    /// those, in the order they came.
    ///
    /// # Errors
    /// SQS's.
    pub async fn receive(
        &self,
        url: &str,
        wanted: usize,
        timeout: Duration,
        counts: impl Fn(&Received) -> bool,
    ) -> anyhow::Result<Vec<Received>> {
        let begin = Instant::now();
        let mut received = Vec::new();
        while received.len() < wanted && begin.elapsed() < timeout {
            let answer = self
                .sqs
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .wait_time_seconds(1)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await?;
            for message in answer.messages() {
                let delete = self.sqs.delete_message().queue_url(url);
                delete
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .send()
                    .await?;
                received.extend(Some(read(message)?).filter(&counts));
            }
        }
        Ok(received)
    }

    /// Runs `s3-sqs-bridge` as an operator would: whether it succeeded, and what it wrote.
    ///
    /// # Panics
    /// When it has not been built: `cargo xtask test` builds it with the unit tests.
    #[must_use]
    pub fn command_line(&self, arguments: &[&str]) -> (bool, String) {
        let output = program().and_then(|p| Ok(Command::new(p).args(arguments).output()?));
        let output = output.expect("the program starts");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Invokes a function and waits for its answer: `Err` holds what it failed with.
    ///
    /// # Errors
    /// Lambda's.
    pub async fn invoke(
        &self,
        output: &str,
        input: &Value,
    ) -> anyhow::Result<Result<Value, Value>> {
        let answer = self
            .lambda
            .invoke()
            .function_name(self.output(output))
            .payload(Blob::new(input.to_string()))
            .send()
            .await?;
        let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
        let value = serde_json::from_slice(payload).context("the answer is not JSON")?;
        Ok(match answer.function_error() {
            None => Ok(value),
            Some(_) => Err(value),
        })
    }

    /// Hands a function an event without waiting.
    ///
    /// # Errors
    /// Lambda's.
    pub async fn invoke_later(&self, output: &str, input: &Value) -> anyhow::Result<()> {
        self.lambda
            .invoke()
            .function_name(self.output(output))
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(input.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// Changes a variable of a function's environment.
    ///
    /// # Errors
    /// Lambda's.
    pub async fn set_variable(&self, output: &str, name: &str, value: &str) -> anyhow::Result<()> {
        let function = self.output(output);
        let found = self
            .lambda
            .get_function_configuration()
            .function_name(function);
        let found = found.send().await?;
        let variables = found.environment().and_then(|e| e.variables());
        let mut variables = variables.cloned().unwrap_or_default();
        variables.insert(name.to_owned(), value.to_owned());
        let environment = Environment::builder()
            .set_variables(Some(variables))
            .build();
        let update = self.lambda.update_function_configuration();
        update
            .function_name(function)
            .environment(environment)
            .send()
            .await?;
        Ok(())
    }

    /// An action of the reseed function that must succeed.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn reseed(&self, input: Value) -> anyhow::Result<Value> {
        match self.invoke("ReseedFunction", &input).await? {
            Ok(answer) => Ok(answer),
            Err(error) => bail!("{input}: {error}"),
        }
    }

    /// Waits until a job is in a phase; the job.
    ///
    /// # Errors
    /// When it is not there in time.
    pub async fn wait_for(
        &self,
        job_id: &str,
        phase: &str,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let begin = Instant::now();
        loop {
            let status = serde_json::json!({ "action": "status", "jobId": job_id });
            let job = self.reseed(status).await?;
            if job["phase"] == phase {
                return Ok(job);
            }
            if begin.elapsed() > timeout {
                bail!("job {job_id} is not {phase} after {timeout:?}: {job:#}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn read(message: &aws_sdk_sqs::types::Message) -> anyhow::Result<Received> {
    let attributes = message.message_attributes().into_iter().flatten();
    let system = message.attributes();
    let raw = message.body().unwrap_or_default().to_owned();
    Ok(Received {
        body: serde_json::from_str(&raw).context("a message that is not JSON")?,
        raw,
        attributes: attributes
            .filter_map(|(name, value)| Some((name.clone(), value.string_value()?.to_owned())))
            .collect(),
        group: system
            .and_then(|s| s.get(&MessageSystemAttributeName::MessageGroupId))
            .cloned(),
        sent_at: system
            .and_then(|s| s.get(&MessageSystemAttributeName::SentTimestamp))
            .context("a message that was never sent")?
            .parse()?,
    })
}
