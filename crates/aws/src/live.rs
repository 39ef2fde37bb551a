//! Port `LiveStore`: one `DynamoDB` item a key, each write one conditional update.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use bridge_core::live::place::{Claimed, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;

use crate::request_error::RequestError;

/// A claim is taken from nobody, from who holds it no longer, and from its own owner.
const MAY_CLAIM: &str =
    "attribute_not_exists(claimOwner) OR claimUntil < :now OR claimOwner = :owner";

const CLAIM: &str = "SET claimOwner = :owner, claimUntil = :until, expiresAt = :expires, \
    intents = list_append(if_not_exists(intents, :none), :intent) ADD revision :one";

const MAY_RETURN: &str = "claimOwner = :owner AND revision = :revision";

type Item = HashMap<String, AttributeValue>;

/// A table of places.
#[derive(Debug, Clone)]
pub struct DynamoLive {
    client: Client,
    table: String,
}

impl DynamoLive {
    /// Places in `table`, whose partition key is `id`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn error(&self, error: &SdkError<UpdateItemError>) -> LiveStoreError {
        live_error(error, &self.table)
    }
}

/// Why an item of `table` was not updated.
pub(crate) fn live_error(error: &SdkError<UpdateItemError>, table: &str) -> LiveStoreError {
    let failed_condition = error
        .as_service_error()
        .is_some_and(UpdateItemError::is_conditional_check_failed_exception);
    if failed_condition {
        return LiveStoreError::Held;
    }
    let fault = RequestError::of(error);
    LiveStoreError::Store {
        reason: format!("updating table {table}: {fault}"),
        kind: fault.kind,
    }
}

/// The id of a key's item: other items than keys' may come beside them.
pub(crate) fn id_of(key: &str) -> AttributeValue {
    AttributeValue::S(format!("key#{key}"))
}

pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn texts(texts: &[String]) -> AttributeValue {
    AttributeValue::L(texts.iter().map(|one| text(one)).collect())
}

/// What the item held before `owner` claimed it; nothing of it where there was none.
fn read(before: Option<Item>, owner: &str) -> Claimed {
    let before = before.unwrap_or_default();
    let text = |name: &str| before.get(name)?.as_s().ok().cloned();
    let revision = before
        .get("revision")
        .and_then(|n| n.as_n().ok()?.parse().ok());
    let intents = before.get("intents").and_then(|list| list.as_l().ok());
    let intents = intents.into_iter().flatten();
    Claimed {
        place: Place {
            sent: text("sent"),
            intents: intents.filter_map(|one| one.as_s().ok().cloned()).collect(),
        },
        is_own: text("claimOwner").as_deref() == Some(owner),
        revision: revision.unwrap_or(0u64) + 1,
    }
}

#[async_trait]
impl LiveStore for DynamoLive {
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id_of(&claim.key))
            .condition_expression(MAY_CLAIM)
            .update_expression(CLAIM)
            .expression_attribute_values(":owner", text(&claim.owner))
            .expression_attribute_values(":until", number(claim.until.0))
            .expression_attribute_values(":expires", number(claim.expires.0 / 1000))
            .expression_attribute_values(":now", number(now.0))
            .expression_attribute_values(":intent", texts(std::slice::from_ref(&claim.intent)))
            .expression_attribute_values(":none", texts(&[]))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|e| self.error(&e))?;
        Ok(read(answer.attributes, &claim.owner))
    }

    async fn give_back(&self, done: &Return) -> Result<(), LiveStoreError> {
        let sent = done.place.sent.as_deref().map(text);
        let update = match sent {
            Some(_) => {
                "SET expiresAt = :expires, intents = :intents, sent = :sent \
                        REMOVE claimOwner, claimUntil"
            }
            None => {
                "SET expiresAt = :expires, intents = :intents \
                     REMOVE claimOwner, claimUntil, sent"
            }
        };
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id_of(&done.key))
            .condition_expression(MAY_RETURN)
            .update_expression(update)
            .expression_attribute_values(":owner", text(&done.owner))
            .expression_attribute_values(":revision", number(done.revision))
            .expression_attribute_values(":expires", number(done.expires.0 / 1000))
            .expression_attribute_values(":intents", texts(&done.place.intents));
        if let Some(sent) = sent {
            request = request.expression_attribute_values(":sent", sent);
        }
        request.send().await.map(|_| ()).map_err(|e| self.error(&e))
    }
}
