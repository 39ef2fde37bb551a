//! Asks AWS about a stack. Reads only, but for what reseed's health is asked to write.

use std::fmt;

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::get_policy::GetPolicyError;
use aws_sdk_sqs::types::QueueAttributeName;
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::CLOUDWATCH;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::timestamp::Timestamp;
use bridge_core::watched::NoAnswer;
use serde_json::{Value, json};

use crate::doctor::beside;
use crate::doctor::facts::{
    Answer, Attributes, Configuration, Facts, Function as FunctionFacts, Mapping, Replay, Rule,
};
use crate::doctor::metrics::Metrics;
use crate::function::Function;
use crate::stack::Stack;

/// Asks about everything at the same time; `has_written` lets reseed's health write a plan object.
pub(super) async fn gather(config: &SdkConfig, stack: Stack, has_written: bool) -> Facts {
    let asks = Asks {
        config,
        lambda: sdk::lambda(config),
        sqs: sdk::sqs(config),
        stack: &stack,
    };
    let now = SystemClock.now();
    let mut health = json!({ "action": "health" });
    if has_written {
        health["write"] = json!(true);
    }
    let plain = json!({ "action": "health" });
    let dead_letters = stack.outputs.get("DeadLetterQueueUrl");
    let (realtime, reseed, destination, mappings, streams, invokers, rule, metrics, queues, more) = tokio::join!(
        asks.function("RealtimeFunction", &plain),
        asks.function("ReseedFunction", &health),
        asks.destination(),
        asks.mappings("RealtimeFunction"),
        asks.mappings("ReseedFunction"),
        asks.invokers(),
        asks.rule(),
        asks.metrics(now),
        async {
            tokio::join!(
                asks.queue("QueueUrl"),
                asks.queue("BufferQueueUrl"),
                asks.queue("OnFailureQueueUrl"),
                async {
                    match dead_letters {
                        Some(_) => Some(asks.queue("DeadLetterQueueUrl").await),
                        None => None,
                    }
                },
            )
        },
        async { tokio::join!(beside::schedule(config, &stack), asks.replay(),) },
    );
    let (queue, buffer, on_failure, dead_letters) = queues;
    let (schedule, replay) = more;
    let of_replay = replay.iter().map(|replay| &replay.queue);
    let all = [&queue, &buffer, &on_failure].into_iter().chain(of_replay);
    let keys = beside::keys(config, &stack, all.flatten()).await;
    Facts {
        now,
        stack,
        queue,
        dead_letters,
        buffer,
        on_failure,
        realtime,
        reseed,
        has_written,
        destination,
        mappings,
        streams,
        invokers,
        rule,
        schedule,
        replay,
        keys,
        metrics,
    }
}

/// All that a queue says of itself.
pub(super) async fn attributes(sqs: &aws_sdk_sqs::Client, url: &str) -> Answer<Attributes> {
    let ask = sqs.get_queue_attributes().queue_url(url);
    let answer = ask.attribute_names(QueueAttributeName::All).send().await;
    let found = answered(answer)?.attributes.unwrap_or_default();
    let named = found.into_iter();
    Ok(named
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect())
}

struct Asks<'a> {
    config: &'a SdkConfig,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    stack: &'a Stack,
}

/// What an SDK answered.
fn answered<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Answer<T>
where
    E: aws_sdk_lambda::error::ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + bridge_aws::request_error::HttpStatus + 'static,
{
    answer.map_err(|error| RequestError::of(&error).into())
}

impl Asks<'_> {
    fn output(&self, name: &str) -> &str {
        self.stack.outputs.get(name).map_or("", String::as_str)
    }

    async fn queue(&self, output: &str) -> Answer<Attributes> {
        attributes(&self.sqs, self.output(output)).await
    }

    /// The second queue, asked for its attributes, and by the function whether it may be sent to.
    async fn replay(&self) -> Option<Replay> {
        let url = beside::replay_url(self.stack)?;
        let name = self.output("ReseedFunction").to_owned();
        let reseed = Function::new(self.lambda.clone(), name);
        let health = json!({ "action": "health", "queueUrl": url });
        let (queue, health) = tokio::join!(attributes(&self.sqs, &url), reseed.ask(&health));
        Some(Replay { url, queue, health })
    }

    async fn function(&self, output: &str, health: &Value) -> FunctionFacts {
        let name = self.output(output).to_owned();
        let function = Function::new(self.lambda.clone(), name.clone());
        let (configuration, health) = tokio::join!(self.configuration(&name), function.ask(health));
        FunctionFacts {
            name,
            configuration,
            health,
        }
    }

    async fn configuration(&self, name: &str) -> Answer<Configuration> {
        let ask = self.lambda.get_function_configuration().function_name(name);
        let found = answered(ask.send().await)?;
        let variables = found.environment().and_then(|e| e.variables());
        Ok(Configuration {
            timeout: found.timeout().and_then(|s| s.try_into().ok()).unwrap_or(0),
            architecture: found
                .architectures()
                .first()
                .map_or("x86_64", |architecture| architecture.as_str())
                .to_owned(),
            state: found.state().map_or("", |state| state.as_str()).to_owned(),
            last_update: found
                .last_update_status()
                .map_or("", |status| status.as_str())
                .to_owned(),
            variables: variables
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        })
    }

    /// Where realtime's failures go. SAM says it of the version `$LATEST`, which is the same on AWS as none.
    async fn destination(&self) -> Answer<String> {
        for qualifier in [None, Some("$LATEST".to_owned())] {
            let ask = self.lambda.get_function_event_invoke_config();
            let ask = ask.function_name(self.output("RealtimeFunction"));
            let found = match ask.set_qualifier(qualifier).send().await {
                Ok(found) => found,
                Err(error) if is_missing(&RequestError::of(&error)) => continue,
                Err(error) => return Err(RequestError::of(&error).into()),
            };
            let destination = found
                .destination_config()
                .and_then(|config| config.on_failure());
            let arn = destination.and_then(|destination| destination.destination());
            return Ok(arn.unwrap_or_default().to_owned());
        }
        Ok(String::new())
    }

    /// What a function is invoked from.
    async fn mappings(&self, function: &str) -> Answer<Vec<Mapping>> {
        let ask = self.lambda.list_event_source_mappings();
        let ask = ask.function_name(self.output(function));
        let found = answered(ask.send().await)?;
        let read = found.event_source_mappings().iter().map(|mapping| Mapping {
            id: mapping.uuid().unwrap_or_default().to_owned(),
            source: mapping.event_source_arn().unwrap_or_default().to_owned(),
            state: mapping.state().unwrap_or_default().to_owned(),
            window: mapping
                .maximum_batching_window_in_seconds()
                .and_then(|seconds| seconds.try_into().ok())
                .unwrap_or(0),
            reports_failures: !mapping.function_response_types().is_empty(),
        });
        Ok(read.collect())
    }

    async fn invokers(&self) -> Answer<String> {
        let ask = self.lambda.get_policy();
        let answer = ask
            .function_name(self.output("RealtimeFunction"))
            .send()
            .await;
        match answer {
            Ok(found) => Ok(found.policy().unwrap_or_default().to_owned()),
            Err(error) if is_no_policy(&error) => Ok(String::new()),
            Err(error) => Err(RequestError::of(&error).into()),
        }
    }

    /// The rule of an existing bucket. The template names it so.
    async fn rule(&self) -> Option<Answer<Rule>> {
        if self.stack.parameter("ExistingBucket").is_empty() {
            return None;
        }
        let name = format!("{}-changes", self.stack.name);
        let client = aws_sdk_eventbridge::Client::new(self.config);
        let rule = client.describe_rule().name(&name).send();
        let targets = client.list_targets_by_rule().rule(&name).send();
        let (rule, targets) = tokio::join!(rule, targets);
        let (rule, targets) = match (answered(rule), answered(targets)) {
            (Ok(rule), Ok(targets)) => (rule, targets),
            (Err(none), _) | (_, Err(none)) => return Some(Err(none)),
        };
        let targets = targets.targets().iter();
        Some(Ok(Rule {
            name,
            state: rule.state().map_or("", |state| state.as_str()).to_owned(),
            pattern: rule.event_pattern().unwrap_or_default().to_owned(),
            targets: targets.map(|target| target.arn().to_owned()).collect(),
        }))
    }

    async fn metrics(&self, now: Timestamp) -> Answer<Metrics> {
        let request = Metrics::request(self.stack, now).to_string();
        let client = ServiceClient::new(CLOUDWATCH, self.config, sdk::connector());
        let answer = client.call("GetMetricData", request.into()).await?;
        let answer = serde_json::from_slice(&answer).map_err(|error| NoAnswer {
            is_refused: false,
            reason: format!("GetMetricData was answered with what is no JSON: {error}"),
        })?;
        Ok(Metrics::read(&answer))
    }
}

/// Nothing of the kind is there.
fn is_missing(error: &RequestError) -> bool {
    error.code.contains("ResourceNotFound")
}

fn is_no_policy<R>(error: &SdkError<GetPolicyError, R>) -> bool {
    let error = error.as_service_error();
    error.is_some_and(GetPolicyError::is_resource_not_found_exception)
}
