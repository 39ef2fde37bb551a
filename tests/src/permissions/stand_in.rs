//! The template's resources on the judge's moto, made one by one: where nothing is deployed, and roles are made anew for each try.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_s3::types::{EventBridgeConfiguration, LambdaFunctionConfiguration};
use aws_sdk_s3::types::{NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use infra::granted::{Names, fill, policy, variables};
use infra::resources::{Notifications, PolicyDocument, Queue, Resource, Table};
use infra::stack::Stack;
use infra::template::Template;

use super::judge::{ACCOUNT, Credentials, Judge, REGION};
use crate::history::create_bucket;

/// A stack's resources.
pub struct StandIn {
    /// Where they are.
    pub judge: Judge,
    /// What they were made of.
    pub stack: Stack,
    /// What they are called.
    pub names: Names,
    /// Clients of who may everything.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// `DynamoDB`.
    pub dynamodb: aws_sdk_dynamodb::Client,
    lambda: aws_sdk_lambda::Client,
}

impl StandIn {
    /// Makes what the template makes of these parameters under this name, as far as the functions ask for it.
    ///
    /// # Errors
    /// The template's, or moto's.
    pub async fn make(name: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Self> {
        let judge = Judge::find()?;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = Template::parse(&std::fs::read_to_string(path)?)?;
        let stack = Stack::of(&template, parameters)?;
        let config = judge.config(&judge.owner()?.credentials);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        let mut stand_in = Self {
            judge,
            stack,
            names: Names::new(),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
        };
        for (own, value) in [
            ("AccountId", ACCOUNT),
            ("Partition", "aws"),
            ("Region", REGION),
            ("StackName", name),
            ("URLSuffix", "amazonaws.com"),
        ] {
            stand_in.name(&format!("AWS::{own}"), value.to_owned());
        }
        stand_in.make_all(name).await?;
        Ok(stand_in)
    }

    /// What a role of the stack may do.
    ///
    /// # Errors
    /// When there is no such role.
    pub fn policy(&self, role: &str) -> anyhow::Result<PolicyDocument> {
        policy(&self.stack, role, &self.names).map_err(|error| anyhow!(error))
    }

    /// What a function of the stack runs with, under a session of a role.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn environment(
        &self,
        function: &str,
        credentials: &Credentials,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let told = variables(&self.stack, function, &self.names);
        let mut told = told.map_err(|error| anyhow!(error))?;
        told.extend(self.judge.environment(credentials));
        // Lambda's own.
        for (name, value) in [
            ("AWS_LAMBDA_FUNCTION_NAME", self.names[function].as_str()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
        ] {
            told.insert(name.to_owned(), value.to_owned());
        }
        Ok(told)
    }

    fn name(&mut self, name: &str, value: String) {
        self.names.insert(name.to_owned(), value);
    }

    /// Names first, since resources name each other.
    async fn make_all(&mut self, stack: &str) -> anyhow::Result<()> {
        let ids: Vec<String> = self.stack.resources.keys().cloned().collect();
        for id in &ids {
            let own = format!("{stack}-{}", id.to_lowercase());
            let (reference, arn) = match &self.stack.resources[id] {
                Resource::Bucket(_) => {
                    // CloudFormation's have something behind.
                    let name = format!("{own}-1");
                    let arn = format!("arn:aws:s3:::{name}");
                    (name, arn)
                }
                Resource::Table(_) => (own.clone(), arn_of("dynamodb", &format!("table/{own}"))),
                Resource::Queue(queue) => {
                    let name = self.fill(&queue.queue_name)?;
                    let url = format!("{}/{ACCOUNT}/{name}", self.judge.endpoint);
                    (url, arn_of("sqs", &name))
                }
                Resource::Function(function) => {
                    let name = self.fill(&function.function_name)?;
                    (name.clone(), arn_of("lambda", &format!("function:{name}")))
                }
                Resource::LogGroup(logs) => {
                    let name = self.fill(&logs.log_group_name)?;
                    let arn = arn_of("logs", &format!("log-group:{name}:*"));
                    (name, arn)
                }
                _ => continue,
            };
            self.name(id, reference);
            self.name(&format!("{id}.Arn"), arn);
        }
        let mut streams = Vec::new();
        for id in &ids {
            let name = self.names.get(id).cloned().unwrap_or_default();
            match &self.stack.resources[id] {
                Resource::Bucket(_) => create_bucket(&self.s3, &name).await?,
                Resource::Table(table) => {
                    if let Some(stream) = self.make_table(&name, table).await? {
                        streams.push((format!("{id}.StreamArn"), stream));
                    }
                }
                Resource::Queue(queue) => self.make_queue(queue).await?,
                Resource::Function(_) => self.make_function(&name).await?,
                _ => {}
            }
        }
        for (id, arn) in streams {
            self.name(&id, arn);
        }
        for id in &ids {
            match &self.stack.resources[id] {
                Resource::Bucket(bucket) => {
                    self.notify(&self.names[id], &bucket.notification_configuration)
                        .await?;
                }
                Resource::Mapping(mapping) => {
                    let make = self.lambda.create_event_source_mapping();
                    let make = make.event_source_arn(self.fill(&mapping.event_source_arn)?);
                    let make = make.function_name(self.fill(&mapping.function_name)?);
                    let begin = Some(mapping.starting_position.as_str());
                    let begin = begin.filter(|begin| !begin.is_empty());
                    let make = make.set_starting_position(begin.map(Into::into));
                    let mapping = make.send().await.context("making the mapping")?;
                    let uuid = mapping
                        .uuid()
                        .context("a mapping without an id")?
                        .to_owned();
                    self.name(id, uuid);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn fill(&self, text: &str) -> anyhow::Result<String> {
        fill(text, &self.names).map_err(|error| anyhow!(error))
    }

    /// Makes a table; its stream, if it has one.
    async fn make_table(&self, name: &str, table: &Table) -> anyhow::Result<Option<String>> {
        let mut make = self.dynamodb.create_table().table_name(name);
        make = make.billing_mode(BillingMode::PayPerRequest);
        for attribute in &table.attribute_definitions {
            let kind = ScalarAttributeType::from(attribute.attribute_type.as_str());
            let definition = AttributeDefinition::builder().attribute_type(kind);
            let definition = definition.attribute_name(&attribute.attribute_name);
            make = make.attribute_definitions(definition.build()?);
        }
        let element = |name: &str, kind: &str| {
            let element = KeySchemaElement::builder().attribute_name(name);
            element.key_type(KeyType::from(kind)).build()
        };
        for key in &table.key_schema {
            make = make.key_schema(element(&key.attribute_name, &key.key_type)?);
        }
        for index in &table.global_secondary_indexes {
            let mut second = GlobalSecondaryIndex::builder().index_name(&index.index_name);
            for key in &index.key_schema {
                second = second.key_schema(element(&key.attribute_name, &key.key_type)?);
            }
            let kind = ProjectionType::from(index.projection.projection_type.as_str());
            let projection = Projection::builder().projection_type(kind).build();
            make = make.global_secondary_indexes(second.projection(projection).build()?);
        }
        if let Some(stream) = &table.stream_specification {
            let kind = StreamViewType::from(stream.stream_view_type.as_str());
            let stream = StreamSpecification::builder().stream_enabled(true);
            make = make.stream_specification(stream.stream_view_type(kind).build()?);
        }
        let answer = make.send().await;
        let answer = answer.with_context(|| format!("making table {name}"))?;
        let stream = answer.table_description.and_then(|of| of.latest_stream_arn);
        Ok(stream)
    }

    async fn make_queue(&self, queue: &Queue) -> anyhow::Result<()> {
        let name = self.fill(&queue.queue_name)?;
        let mut make = self.sqs.create_queue().queue_name(&name);
        if queue.fifo_queue {
            make = make.attributes(QueueAttributeName::FifoQueue, "true");
        }
        make.send()
            .await
            .with_context(|| format!("making queue {name}"))?;
        Ok(())
    }

    /// What it holds is never run.
    async fn make_function(&self, name: &str) -> anyhow::Result<()> {
        let code = FunctionCode::builder().zip_file(Blob::new("no program"));
        let make = self.lambda.create_function().function_name(name);
        let make = make.runtime(Runtime::Providedal2023).handler("bootstrap");
        let make = make.role(format!("arn:aws:iam::{ACCOUNT}:role/function"));
        let make = make.code(code.build()).send().await;
        make.with_context(|| format!("making function {name}"))?;
        Ok(())
    }

    async fn notify(&self, bucket: &str, told: &Notifications) -> anyhow::Result<()> {
        let mut all = NotificationConfiguration::builder();
        for told in &told.queue_configurations {
            let one = QueueConfiguration::builder().queue_arn(self.fill(&told.target)?);
            let one = one.events(told.event.as_str().into());
            all = all.queue_configurations(one.build()?);
        }
        for told in &told.lambda_configurations {
            let one = LambdaFunctionConfiguration::builder();
            let one = one.lambda_function_arn(self.fill(&told.target)?);
            let one = one.events(told.event.as_str().into());
            all = all.lambda_function_configurations(one.build()?);
        }
        let put = self
            .s3
            .put_bucket_notification_configuration()
            .bucket(bucket);
        let put = put.notification_configuration(all.build()).send().await;
        put.with_context(|| format!("asking {bucket} to notify"))?;
        Ok(())
    }

    /// Makes a bucket that the stack is to watch, which sends its events to `EventBridge`.
    ///
    /// # Errors
    /// S3's.
    pub async fn make_bucket_to_watch(&self, name: &str) -> anyhow::Result<()> {
        create_bucket(&self.s3, name).await?;
        let to_bus = EventBridgeConfiguration::builder().build();
        let to_bus = NotificationConfiguration::builder().event_bridge_configuration(to_bus);
        let put = self.s3.put_bucket_notification_configuration().bucket(name);
        put.notification_configuration(to_bus.build())
            .send()
            .await?;
        Ok(())
    }
}

fn arn_of(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
}
