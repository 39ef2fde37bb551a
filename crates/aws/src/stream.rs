//! Port `StreamStore`: one item of the live table, each write one conditional update.

use std::collections::HashMap;
use std::str::FromStr;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bridge_core::failure::FailureKind;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{Hold, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;

use crate::request_error::RequestError;

/// The item's id. Those of keys begin with `key#`.
const ID: &str = "stream";

const BEGINS: &str = "attribute_not_exists(#order) OR #order <> :order";

const MAY_HOLD: &str = "attribute_not_exists(holdOwner) OR holdOwner = :owner";

const HOLD: &str = "SET holdOwner = :owner, holdSince = if_not_exists(holdSince, :since)";

const HOLDS: &str = "holdOwner = :owner";

type Item = HashMap<String, AttributeValue>;

/// The stream of a live table.
#[derive(Debug, Clone)]
pub struct DynamoStream {
    client: Client,
    table: String,
}

/// What a conditional update came to.
enum Written {
    /// It went through: the item as it is now, if it was asked for.
    Through(Option<Item>),
    /// Its condition does not hold.
    Refused,
}

impl DynamoStream {
    /// The stream in `table`, whose partition key is `id`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn update(&self) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.key("id", text(ID))
    }

    async fn write(&self, update: UpdateItemFluentBuilder) -> Result<Written, LiveStoreError> {
        match update.send().await {
            Ok(answer) => Ok(Written::Through(answer.attributes)),
            Err(error) => {
                let failed_condition = error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception);
                if failed_condition {
                    return Ok(Written::Refused);
                }
                Err(self.error("updating", &error))
            }
        }
    }

    fn error<E>(&self, doing: &str, error: &SdkError<E, HttpResponse>) -> LiveStoreError
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        let fault = RequestError::of(error);
        LiveStoreError::Store {
            reason: format!("{doing} the stream of table {}: {fault}", self.table),
            kind: fault.kind,
        }
    }

    /// What an item says. One that cannot be read must not be taken for none: it may be a hold.
    fn read_item(&self, item: &Item) -> Result<Stream, LiveStoreError> {
        parse(item).map_err(|Unreadable| LiveStoreError::Store {
            reason: format!("the stream of table {} cannot be read", self.table),
            kind: FailureKind::Permanent,
        })
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An attribute that is not of its type.
struct Unreadable;

fn parse(item: &Item) -> Result<Stream, Unreadable> {
    let text = |name: &str| {
        let found = item.get(name).map(AttributeValue::as_s);
        found.transpose().map_err(|_| Unreadable)
    };
    let boundary = read_number(item, "boundary")?;
    let since = read_number(item, "holdSince")?;
    let hold = text("holdOwner")?.map(|owner| {
        let owner = owner.clone();
        let since = Timestamp(since.ok_or(Unreadable)?);
        Ok(Hold { owner, since })
    });
    let order = text("order")?.map(|word| word.parse().map_err(|_| Unreadable));
    Ok(Stream {
        hold: hold.transpose()?,
        boundary: boundary.map(Timestamp),
        covered: read_number(item, "covered")?.map(Timestamp),
        generation: read_number(item, "generation")?.unwrap_or(0),
        order: order.transpose()?,
    })
}

fn read_number<T: FromStr>(item: &Item, name: &str) -> Result<Option<T>, Unreadable> {
    let found = item.get(name).map(|value| {
        let digits = value.as_n().map_err(|_| Unreadable)?;
        digits.parse().map_err(|_| Unreadable)
    });
    found.transpose()
}

#[async_trait]
impl StreamStore for DynamoStream {
    async fn read(&self) -> Result<Stream, LiveStoreError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("id", text(ID)).consistent_read(true);
        let answer = get.send().await.map_err(|e| self.error("reading", &e))?;
        self.read_item(&answer.item.unwrap_or_default())
    }

    async fn begin(&self, order: LiveOrder, boundary: Timestamp) -> Result<Stream, LiveStoreError> {
        let mut update = self
            .update()
            .condition_expression(BEGINS)
            .expression_attribute_names("#order", "order")
            .expression_attribute_values(":order", text(order.as_str()))
            .return_values(ReturnValue::AllNew);
        update = if order == LiveOrder::Exact {
            update
                .update_expression(
                    "SET #order = :order, #boundary = :boundary ADD #generation :one",
                )
                .expression_attribute_names("#boundary", "boundary")
                .expression_attribute_names("#generation", "generation")
                .expression_attribute_values(":boundary", number(boundary.0))
                .expression_attribute_values(":one", number(1))
        } else {
            update.update_expression("SET #order = :order")
        };
        match self.write(update).await? {
            Written::Through(item) => self.read_item(&item.unwrap_or_default()),
            Written::Refused => self.read().await,
        }
    }

    async fn hold(&self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError> {
        let update = self
            .update()
            .condition_expression(MAY_HOLD)
            .update_expression(HOLD)
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":since", number(since.0));
        match self.write(update).await? {
            Written::Through(_) => Ok(()),
            Written::Refused => Err(LiveStoreError::Held),
        }
    }

    async fn release(
        &self,
        owner: &str,
        boundary: Option<Timestamp>,
    ) -> Result<(), LiveStoreError> {
        let mut update = self
            .update()
            .condition_expression(HOLDS)
            .expression_attribute_values(":owner", text(owner));
        update = match boundary {
            Some(boundary) => update
                .update_expression(
                    "SET #boundary = :boundary, covered = :boundary REMOVE holdOwner, holdSince ADD #generation :one",
                )
                .expression_attribute_names("#boundary", "boundary")
                .expression_attribute_names("#generation", "generation")
                .expression_attribute_values(":boundary", number(boundary.0))
                .expression_attribute_values(":one", number(1)),
            None => update.update_expression("REMOVE holdOwner, holdSince"),
        };
        self.write(update).await.map(|_| ())
    }
}
