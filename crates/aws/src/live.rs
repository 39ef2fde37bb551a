//! Port `LiveStore`: one `DynamoDB` item a key, each write one conditional update.

use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::live::place::{Claimed, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;

use crate::signed::ServiceClient;
use crate::signed::table::{Item, Table, Value};

/// A claim is taken from nobody, from who holds it no longer, and from its own owner.
const MAY_CLAIM: &str =
    "attribute_not_exists(claimOwner) OR claimUntil < :now OR claimOwner = :owner";

const CLAIM: &str = "SET claimOwner = :owner, claimUntil = :until, expiresAt = :expires, \
    intents = list_append(if_not_exists(intents, :none), :intent), \
    removing = list_append(if_not_exists(removing, :none), :removals) ADD revision :one";

const MAY_RETURN: &str = "claimOwner = :owner AND revision = :revision";

/// A table of places.
#[derive(Debug, Clone)]
pub struct DynamoLive {
    table: Table,
}

impl DynamoLive {
    /// Places in `table`, whose partition key is `id`, by a client of [`crate::signed::service::DYNAMODB`].
    #[must_use]
    pub fn new(client: Arc<ServiceClient>, table: String) -> Self {
        Self {
            table: Table::new(client, table, ""),
        }
    }
}

/// The id of a key's item: other items than keys' may come beside them.
pub(crate) fn id_of(key: &str) -> String {
    format!("key#{key}")
}

/// What the item held before `owner` claimed it; nothing of it where there was none.
fn read(before: &Item, owner: &str) -> Claimed {
    let text = |name: &str| before.get(name)?.s.clone();
    let revision = before
        .get("revision")
        .and_then(|revision| revision.n.as_ref()?.parse().ok());
    // An item that was written before removals were kept apart has none.
    let texts = |name: &str| {
        let list = before.get(name).into_iter().flat_map(Value::texts);
        list.cloned().collect()
    };
    Claimed {
        place: Place {
            sent: text("sent"),
            intents: texts("intents"),
            removed: texts("removed"),
            removing: texts("removing"),
        },
        is_own: text("claimOwner").as_deref() == Some(owner),
        revision: revision.unwrap_or(0u64) + 1,
    }
}

#[async_trait]
impl LiveStore for DynamoLive {
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError> {
        let update = self.table.update(id_of(&claim.key), CLAIM);
        let update = update
            .only_if(MAY_CLAIM)
            .value(":owner", Value::text(&claim.owner))
            .value(":until", Value::number(claim.until.0))
            .value(":expires", Value::number(claim.expires.0 / 1000))
            .value(":now", Value::number(now.0))
            .value(":intent", Value::list(claim.intent.newest.as_slice()))
            .value(":removals", Value::list(&claim.intent.removals))
            .value(":none", Value::list(&[]))
            .value(":one", Value::number(1))
            .answer_before();
        let before = self.table.write(update).await?.or_held()?;
        Ok(read(&before, &claim.owner))
    }

    async fn give_back(&self, done: &Return) -> Result<(), LiveStoreError> {
        let sent = done.place.sent.as_deref();
        let update = match sent {
            Some(_) => {
                "SET expiresAt = :expires, intents = :intents, removed = :removed, \
                    removing = :removing, sent = :sent \
                    REMOVE claimOwner, claimUntil"
            }
            None => {
                "SET expiresAt = :expires, intents = :intents, removed = :removed, \
                    removing = :removing \
                    REMOVE claimOwner, claimUntil, sent"
            }
        };
        let mut update = self
            .table
            .update(id_of(&done.key), update)
            .only_if(MAY_RETURN)
            .value(":owner", Value::text(&done.owner))
            .value(":revision", Value::number(done.revision))
            .value(":expires", Value::number(done.expires.0 / 1000))
            .value(":intents", Value::list(&done.place.intents))
            .value(":removed", Value::list(&done.place.removed))
            .value(":removing", Value::list(&done.place.removing));
        if let Some(sent) = sent {
            update = update.value(":sent", Value::text(sent));
        }
        self.table.write(update).await?.or_held()?;
        Ok(())
    }
}
