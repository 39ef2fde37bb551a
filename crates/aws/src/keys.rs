//! Port `KeyStore`: one `DynamoDB` item a key, each write one conditional update.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use bridge_core::failure::FailureKind;
use bridge_core::live::exact::run::Sent;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore};
use bridge_core::live::exact::version::Identity;
use bridge_core::live::store::LiveStoreError;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::live::{id_of, live_error, number, text};
use crate::request_error::RequestError;

/// A claim is taken from nobody, from who holds it no longer, and from its own owner; not by an owner that has
/// ended.
const MAY_CLAIM: &str = "(attribute_not_exists(claimOwner) OR claimUntil < :now OR \
    claimOwner = :owner) AND (attribute_not_exists(ended) OR NOT contains(ended, :owner))";

const CLAIM: &str = "SET claimOwner = :owner, claimUntil = :until, expiresAt = :expires \
    REMOVE marked ADD revision :one";

const MAY_MARK: &str = "attribute_exists(claimOwner) AND claimUntil >= :now AND \
    NOT begins_with(claimOwner, :request)";

const MAY_RETURN: &str = "claimOwner = :owner AND revision = :revision";

/// The id of the item that names the keys that are stopped. Those of keys begin with `key#`.
const STOPPED: &str = "stopped";

type Item = HashMap<String, AttributeValue>;

/// What is stored of a key in one attribute, as JSON: read and written as a whole, by its holder alone.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    begun: Vec<Identity>,
    generation: u64,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

/// A table of keys.
#[derive(Debug, Clone)]
pub struct DynamoKeys {
    client: Client,
    table: String,
}

impl DynamoKeys {
    /// Keys in `table`, whose partition key is `id`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn error(&self, error: &SdkError<UpdateItemError>) -> LiveStoreError {
        live_error(error, &self.table)
    }

    async fn update_stopped(&self, update: &str, key: &str) -> Result<(), LiveStoreError> {
        let key = AttributeValue::Ss(vec![key.to_owned()]);
        let request = self.client.update_item().table_name(&self.table);
        let request = request
            .key("id", text(STOPPED))
            .update_expression(update)
            .expression_attribute_names("#keys", "keys")
            .expression_attribute_values(":key", key);
        request.send().await.map_err(|e| self.error(&e))?;
        Ok(())
    }

    /// What the item held before it was claimed; nothing of it where there was none.
    fn read(&self, before: Option<Item>) -> Result<KeyState, LiveStoreError> {
        let before = before.unwrap_or_default();
        let stored: Stored = match before.get("exact").and_then(|json| json.as_s().ok()) {
            Some(json) => serde_json::from_str(json).map_err(|error| LiveStoreError::Store {
                reason: format!(
                    "reading attribute exact of an item of table {}: {error}",
                    self.table
                ),
                kind: FailureKind::Permanent,
            })?,
            None => Stored::default(),
        };
        let revision = before
            .get("revision")
            .and_then(|n| n.as_n().ok()?.parse().ok());
        let ended = before.get("ended").and_then(|list| list.as_l().ok());
        let ended = ended.into_iter().flatten();
        Ok(KeyState {
            sent: stored.sent,
            begun: stored.begun,
            generation: stored.generation,
            attempt: stored.attempt,
            was_left: before.contains_key("claimOwner"),
            revision: revision.unwrap_or(0u64) + 1,
            ended: ended.filter_map(|one| one.as_s().ok().cloned()).collect(),
            stopped: stored.stopped,
        })
    }
}

#[async_trait]
impl KeyStore for DynamoKeys {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
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
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|e| self.error(&e))?;
        self.read(answer.attributes)
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id_of(key))
            .condition_expression(MAY_MARK)
            .update_expression("SET marked = :true")
            .expression_attribute_values(":now", number(now.0))
            .expression_attribute_values(":request", text(request))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .send()
            .await;
        match answer.map_err(|e| self.error(&e)) {
            Ok(_) => Ok(true),
            Err(LiveStoreError::Held) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        let state = &done.state;
        let stored = Stored {
            sent: state.sent.clone(),
            begun: state.begun.clone(),
            generation: state.generation,
            attempt: state.attempt,
            stopped: state.stopped.clone(),
        };
        let json = serde_json::to_string(&stored).map_err(|error| LiveStoreError::Store {
            reason: error.to_string(),
            kind: FailureKind::Permanent,
        })?;
        let ended = state.ended.iter().map(|owner| text(owner)).collect();
        let update = if done.ends {
            "SET expiresAt = :expires, exact = :exact, ended = :ended \
                REMOVE claimOwner, claimUntil, marked"
        } else {
            "SET expiresAt = :expires, exact = :exact, ended = :ended REMOVE marked"
        };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id_of(&done.key))
            .condition_expression(MAY_RETURN)
            .update_expression(update)
            .expression_attribute_values(":owner", text(&done.owner))
            .expression_attribute_values(":revision", number(state.revision))
            .expression_attribute_values(":expires", number(done.expires.0 / 1000))
            .expression_attribute_values(":exact", text(&json))
            .expression_attribute_values(":ended", AttributeValue::L(ended))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|e| self.error(&e))?;
        let before = answer.attributes.unwrap_or_default();
        Ok(before.contains_key("marked"))
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.update_stopped("ADD #keys :key", key).await
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.update_stopped("DELETE #keys :key", key).await
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        let ask = self.client.get_item().table_name(&self.table);
        let ask = ask.key("id", text(STOPPED)).consistent_read(true);
        let item = ask.send().await.map_err(|error| {
            let fault = RequestError::of(&error);
            LiveStoreError::Store {
                reason: format!("reading an item of table {}: {fault}", self.table),
                kind: fault.kind,
            }
        })?;
        let item = item.item.unwrap_or_default();
        let keys = item.get("keys").and_then(|keys| keys.as_ss().ok());
        Ok(keys.cloned().unwrap_or_default())
    }
}
