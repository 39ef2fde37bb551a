//! Port `KeyStore`: one `DynamoDB` item a key, each write one conditional update.

use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::live::exact::run::Sent;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore, OPERATOR, Stopped};
use bridge_core::live::exact::version::Identity;
use bridge_core::live::store::LiveStoreError;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::live::id_of;
use crate::signed::ServiceClient;
use crate::signed::table::{Item, Table, Value, Written};

/// A claim is taken from nobody, from who holds it no longer, and from its own owner; not by an owner that has
/// ended.
const MAY_CLAIM: &str = "(attribute_not_exists(claimOwner) OR claimUntil < :now OR \
    claimOwner = :owner) AND (attribute_not_exists(ended) OR NOT contains(ended, :owner))";

const CLAIM: &str = "SET claimOwner = :owner, exactOwner = :owner, claimUntil = :until, \
    expiresAt = :expires REMOVE marked ADD revision :one";

/// Not a claim of `newest`, which looks at no mark: where the choice has changed, both meet.
const MAY_MARK: &str = "attribute_exists(claimOwner) AND claimOwner = exactOwner AND \
    claimUntil >= :now AND NOT begins_with(claimOwner, :request) AND \
    NOT begins_with(claimOwner, :operator)";

const MAY_RETURN: &str = "claimOwner = :owner AND revision = :revision";

/// The id of the item that names the keys that are stopped. Those of keys begin with `key#`.
const STOPPED: &str = "stopped";

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
    stopped: Option<Stopped>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<Identity>,
}

/// A table of keys.
#[derive(Debug, Clone)]
pub struct DynamoKeys {
    table: Table,
}

impl DynamoKeys {
    /// Keys in `table`, whose partition key is `id`, by a client of [`crate::signed::service::DYNAMODB`].
    #[must_use]
    pub fn new(client: Arc<ServiceClient>, table: String) -> Self {
        Self {
            table: Table::new(client, table, ""),
        }
    }

    async fn update_stopped(&self, expression: &str, key: &str) -> Result<(), LiveStoreError> {
        let update = self
            .table
            .update(STOPPED, expression)
            .name("#keys", "keys")
            .value(":key", Value::set(vec![key.to_owned()]));
        self.table.write(update).await?.or_held()?;
        Ok(())
    }

    /// What the item held before it was claimed; nothing of it where there was none.
    fn read(&self, before: &Item) -> Result<KeyState, LiveStoreError> {
        let stored: Stored = match before.get("exact").and_then(|json| json.s.as_ref()) {
            Some(json) => serde_json::from_str(json).map_err(|error| LiveStoreError::Store {
                reason: format!(
                    "reading attribute exact of an item of {}: {error}",
                    self.table.called()
                ),
                kind: FailureKind::Permanent,
            })?,
            None => Stored::default(),
        };
        let revision = before
            .get("revision")
            .and_then(|revision| revision.n.as_ref()?.parse().ok());
        let ended = before.get("ended").into_iter().flat_map(Value::texts);
        Ok(KeyState {
            sent: stored.sent,
            begun: stored.begun,
            generation: stored.generation,
            attempt: stored.attempt,
            was_left: before.contains_key("claimOwner"),
            revision: revision.unwrap_or(0u64) + 1,
            ended: ended.cloned().collect(),
            stopped: stored.stopped,
            skipped: stored.skipped,
        })
    }
}

#[async_trait]
impl KeyStore for DynamoKeys {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        let update = self.table.update(id_of(&claim.key), CLAIM);
        let update = update
            .only_if(MAY_CLAIM)
            .value(":owner", Value::text(&claim.owner))
            .value(":until", Value::number(claim.until.0))
            .value(":expires", Value::number(claim.expires.0 / 1000))
            .value(":now", Value::number(now.0))
            .value(":one", Value::number(1))
            .answer_before();
        self.read(&self.table.write(update).await?.or_held()?)
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        let update = self
            .table
            .update(id_of(key), "SET marked = :true")
            .only_if(MAY_MARK)
            .value(":now", Value::number(now.0))
            .value(":request", Value::text(request))
            .value(":operator", Value::text(OPERATOR))
            .value(":true", Value::yes());
        Ok(match self.table.write(update).await? {
            Written::Through(_) => true,
            Written::Refused => false,
        })
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        let state = &done.state;
        let stored = Stored {
            sent: state.sent.clone(),
            begun: state.begun.clone(),
            generation: state.generation,
            attempt: state.attempt,
            stopped: state.stopped.clone(),
            skipped: state.skipped.clone(),
        };
        let json = serde_json::to_string(&stored).map_err(|error| LiveStoreError::Store {
            reason: error.to_string(),
            kind: FailureKind::Permanent,
        })?;
        let update = if done.ends {
            "SET expiresAt = :expires, exact = :exact, ended = :ended \
                REMOVE claimOwner, claimUntil, marked"
        } else {
            "SET expiresAt = :expires, exact = :exact, ended = :ended REMOVE marked"
        };
        let update = self
            .table
            .update(id_of(&done.key), update)
            .only_if(MAY_RETURN)
            .value(":owner", Value::text(&done.owner))
            .value(":revision", Value::number(state.revision))
            .value(":expires", Value::number(done.expires.0 / 1000))
            .value(":exact", Value::text(json))
            .value(":ended", Value::list(&state.ended))
            .answer_before();
        let before = self.table.write(update).await?.or_held()?;
        Ok(before.contains_key("marked"))
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.update_stopped("ADD #keys :key", key).await
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.update_stopped("DELETE #keys :key", key).await
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        let item = self.table.read(STOPPED).await?;
        let keys = item.get("keys").and_then(|keys| keys.ss.clone());
        Ok(keys.unwrap_or_default())
    }
}
