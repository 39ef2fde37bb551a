//! Deploying the template with parameters that only one test needs.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, Parameter, StackStatus, TemplateStage};
use aws_sdk_s3::types::{
    CreateBucketConfiguration, EventBridgeConfiguration, NotificationConfiguration,
};
use bridge_core::event::short_digest;

use crate::history::create_bucket;
use crate::{STACK, Stack, aws};

/// A deploy that hangs ends; one takes seconds.
const DEPLOY_TIMEOUT: Duration = Duration::from_mins(5);

impl Stack {
    /// Deploys the template that [`STACK`] was deployed from, with other parameters, by
    /// `CloudFormation` itself.
    ///
    /// # Errors
    /// Why it was refused, or which resource failed.
    pub async fn create(name: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::create_with(name, parameters, "").await
    }

    /// The same with more resources, as YAML below `Resources`.
    ///
    /// # Errors
    /// As [`Stack::create`].
    pub async fn create_with(
        name: &str,
        parameters: &[(&str, &str)],
        more: &str,
    ) -> anyhow::Result<Self> {
        let config = aws::load().await;
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        let created = cloudformation
            .create_stack()
            .stack_name(name)
            .template_url(packaged(&cloudformation, more).await?)
            .set_parameters(Some(parameters_of(parameters)))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .send()
            .await;
        if let Err(error) = created {
            bail!("{}", error.message().unwrap_or("no reason was given"));
        }
        Self::settled(name).await
    }

    /// Deploys the same again with other parameters.
    ///
    /// # Errors
    /// As [`Stack::create`].
    pub async fn change(self, parameters: &[(&str, &str)]) -> anyhow::Result<Self> {
        let config = aws::load().await;
        let cloudformation = aws_sdk_cloudformation::Client::new(&config);
        let changed = cloudformation
            .update_stack()
            .stack_name(&self.name)
            .template_url(packaged(&cloudformation, "").await?)
            .set_parameters(Some(parameters_of(parameters)))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .send()
            .await;
        if let Err(error) = changed {
            bail!("{}", error.message().unwrap_or("no reason was given"));
        }
        Self::settled(&self.name).await
    }

    /// Makes a versioned bucket for a stack-to-be, which sends its events to `EventBridge`, as OPERATIONS.md
    /// says.
    ///
    /// # Errors
    /// S3's.
    pub async fn create_bucket_to_watch(&self, name: &str) -> anyhow::Result<()> {
        create_bucket(&self.s3, name).await?;
        let to_bus = NotificationConfiguration::builder()
            .event_bridge_configuration(EventBridgeConfiguration::builder().build())
            .build();
        let put = self.s3.put_bucket_notification_configuration();
        let put = put.bucket(name).notification_configuration(to_bus);
        put.send().await?;
        Ok(())
    }

    /// Waits until nothing is being deployed.
    async fn settled(name: &str) -> anyhow::Result<Self> {
        let begin = Instant::now();
        loop {
            let stack = Self::connect(name).await?;
            match stack.status {
                Some(StackStatus::CreateComplete | StackStatus::UpdateComplete) => {
                    return Ok(stack);
                }
                Some(
                    StackStatus::CreateInProgress
                    | StackStatus::RollbackInProgress
                    | StackStatus::UpdateInProgress
                    | StackStatus::UpdateCompleteCleanupInProgress,
                ) if begin.elapsed() < DEPLOY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => bail!("stack {name} is {other:?}"),
            }
        }
    }

    /// Deletes the stack.
    ///
    /// # Errors
    /// `CloudFormation`'s.
    pub async fn remove(self) -> anyhow::Result<()> {
        let client = aws_sdk_cloudformation::Client::new(&aws::load().await);
        client.delete_stack().stack_name(&self.name).send().await?;
        Ok(())
    }
}

/// Where templates are put: what comes in a request itself may have 51,200 bytes.
/// Source: AWS `CloudFormation` User Guide, "`CloudFormation` quotas".
const TEMPLATES: &str = "bridge-e2e-templates";

/// Where the template of [`STACK`] is as `sam deploy` sent it, with the functions' code uploaded, and with `more`
/// resources.
async fn packaged(client: &aws_sdk_cloudformation::Client, more: &str) -> anyhow::Result<String> {
    let template = client.get_template().stack_name(STACK);
    let template = template.template_stage(TemplateStage::Original);
    let template = template.send().await?;
    let body = template.template_body;
    let body = body.context("the stack has no template")?;
    let body = body.replacen("\nOutputs:\n", &format!("\n{more}Outputs:\n"), 1);
    let endpoint = std::env::var("AWS_ENDPOINT_URL").context("these tests need the local AWS")?;
    let config = aws::load().await;
    let s3 = bridge_aws::sdk::s3(&config);
    let region = config.region().context("these tests need a region")?;
    let place = CreateBucketConfiguration::builder().location_constraint(region.as_ref().into());
    let create = s3.create_bucket().bucket(TEMPLATES);
    let create = create.create_bucket_configuration(place.build());
    // It may be there: then the template cannot be put if it is not ours.
    let _ = create.send().await;
    let key = format!("{}.yaml", short_digest(&body));
    let put = s3.put_object().bucket(TEMPLATES).key(&key);
    put.body(body.into_bytes().into()).send().await?;
    Ok(format!("{endpoint}/{TEMPLATES}/{key}"))
}

fn parameters_of(parameters: &[(&str, &str)]) -> Vec<Parameter> {
    let parameter = |(name, value): &(&str, &str)| {
        let parameter = Parameter::builder().parameter_key(*name);
        parameter.parameter_value(*value).build()
    };
    parameters.iter().map(parameter).collect()
}
