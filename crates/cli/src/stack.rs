//! A deployed stack, known by its outputs and parameters.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Stack as Description;
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk::SdkConfig;
use bridge_core::timestamp::Timestamp;

use crate::Usage;
use crate::preflight::{about_any, place};

/// Names `CloudFormation` where it is not AWS's.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_CLOUDFORMATION";

/// A deployed stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stack {
    /// Its name.
    pub name: String,
    /// `CREATE_COMPLETE` …
    pub status: String,
    /// What it was made of, by the template's names.
    pub outputs: BTreeMap<String, String>,
    /// What it was deployed with, defaults filled in.
    pub parameters: BTreeMap<String, String>,
    /// When it was last deployed.
    pub deployed_at: Option<Timestamp>,
}

impl Stack {
    /// Asks `CloudFormation` for it.
    ///
    /// # Errors
    /// [`Usage`] where there is no such stack, or it may not be asked for; else why it could not be.
    pub(crate) async fn find(config: &SdkConfig, name: &str) -> anyhow::Result<Self> {
        let client = aws_sdk_cloudformation::Client::new(config);
        let answer = client.describe_stacks().stack_name(name).send().await;
        let region = config.region().map_or("", |region| region.as_ref());
        let found = match &answer {
            Ok(answer) => answer.stacks().first(),
            Err(error) => return Err(refused(name, config, &RequestError::of(error))),
        };
        let found = found.ok_or_else(|| Usage(no_stack(name, region)))?;
        Ok(Self::of(name, found))
    }

    /// The schedule that continues its jobs, as the template names it.
    pub(crate) fn sweep(&self) -> String {
        format!("{}-sweep", self.name)
    }

    fn of(name: &str, found: &Description) -> Self {
        let outputs = found.outputs().iter();
        let parameters = found.parameters().iter();
        let deployed_at = found.last_updated_time().or(found.creation_time());
        Self {
            name: name.to_owned(),
            status: found
                .stack_status()
                .map_or("", |status| status.as_str())
                .to_owned(),
            outputs: outputs
                .filter_map(|o| Some((o.output_key()?.to_owned(), o.output_value()?.to_owned())))
                .collect(),
            parameters: parameters
                .filter_map(|p| {
                    Some((
                        p.parameter_key()?.to_owned(),
                        p.parameter_value()?.to_owned(),
                    ))
                })
                .collect(),
            deployed_at: deployed_at
                .and_then(|at| at.to_millis().ok())
                .map(Timestamp),
        }
    }

    /// What the template tells under this name.
    ///
    /// # Errors
    /// [`Usage`], when the stack is not of this template.
    pub(crate) fn output(&self, output: &str) -> Result<&str, Usage> {
        let found = self.outputs.get(output).map(String::as_str);
        found.ok_or_else(|| {
            let there: Vec<_> = self.outputs.keys().map(String::as_str).collect();
            let there = match there.as_slice() {
                [] => "none".to_owned(),
                some => some.join(", "),
            };
            Usage(format!(
                "stack {} has no output {output}, so it is none of S3 SQS Bridge, or is not deployed yet \
                 ({}); its outputs: {there}",
                self.name, self.status
            ))
        })
    }

    /// A parameter; empty where the stack has none of this name.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

fn no_stack(name: &str, region: &str) -> String {
    format!(
        "there is no stack {name:?} in {region}: look at --stack, --region and --profile; `aws \
         cloudformation list-stacks` tells which there are"
    )
}

fn refused(name: &str, config: &SdkConfig, error: &RequestError) -> anyhow::Error {
    let region = config.region().map_or("", |region| region.as_ref());
    let told = error.to_string();
    // CloudFormation has no code of its own for it.
    if error.code == "ValidationError" && told.contains("does not exist") {
        return Usage(no_stack(name, region)).into();
    }
    let at = place(config, "CloudFormation", ENDPOINT);
    let tried = format!("asking {at} for stack {name:?}: {told}");
    if error.code.contains("AccessDenied") {
        let hint = "the credentials need cloudformation:DescribeStacks on it (docs/policies/operator.json)";
        return Usage(format!("{tried}: {hint}")).into();
    }
    match about_any(&error.code, ENDPOINT, region).as_str() {
        "" => anyhow::anyhow!(tried),
        hint => anyhow::anyhow!("{tried}: {hint}"),
    }
}
