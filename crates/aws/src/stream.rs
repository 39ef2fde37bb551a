//! Port `StreamStore`: one item of the live table, each write one conditional update.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{HistoryEnd, Hold, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;

use crate::signed::ServiceClient;
use crate::signed::table::{Item, Table, Value, Written};

/// The item's id. Those of keys begin with `key#`.
const ID: &str = "stream";

const BEGINS: &str = "attribute_not_exists(#order) OR #order <> :order";

const BEGIN_EXACT: &str = "SET #order = :order, #boundary = :boundary ADD #generation :one";

const MAY_HOLD: &str = "attribute_not_exists(holdOwner) OR holdOwner = :owner";

const HOLD: &str = "SET holdOwner = :owner, holdSince = if_not_exists(holdSince, :since)";

const HOLDS: &str = "holdOwner = :owner";

const RELEASE_AT: &str = "SET #boundary = :boundary, covered = :boundary \
    REMOVE holdOwner, holdSince, #order, coveredDatedBack ADD #generation :one";

const RELEASE_DATED_BACK: &str = "SET #boundary = :boundary, covered = :boundary, \
    coveredDatedBack = :datedBack REMOVE holdOwner, holdSince, #order ADD #generation :one";

/// The stream of a live table.
#[derive(Debug, Clone)]
pub struct DynamoStream {
    table: Table,
}

impl DynamoStream {
    /// The stream in `table`, whose partition key is `id`, by a client of [`crate::signed::service::DYNAMODB`].
    #[must_use]
    pub fn new(client: Arc<ServiceClient>, table: String) -> Self {
        Self {
            table: Table::new(client, table, "the stream of "),
        }
    }

    /// What an item says. One that cannot be read must not be taken for none: it may be a hold.
    fn read_item(&self, item: &Item) -> Result<Stream, LiveStoreError> {
        parse(item).map_err(|Unreadable| LiveStoreError::Store {
            reason: format!("{} cannot be read", self.table.called()),
            kind: FailureKind::Permanent,
        })
    }
}

/// An attribute that is not of its type.
struct Unreadable;

fn parse(item: &Item) -> Result<Stream, Unreadable> {
    let text = |name: &str| {
        let found = item.get(name).map(|value| value.s.as_ref());
        found.map(|text| text.ok_or(Unreadable)).transpose()
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
        covered_dated_back: read_number(item, "coveredDatedBack")?.map(Timestamp),
        generation: read_number(item, "generation")?.unwrap_or(0),
        order: order.transpose()?,
    })
}

fn read_number<T: FromStr>(item: &Item, name: &str) -> Result<Option<T>, Unreadable> {
    let found = item.get(name).map(|value| {
        let digits = value.n.as_ref().ok_or(Unreadable)?;
        digits.parse().map_err(|_| Unreadable)
    });
    found.transpose()
}

#[async_trait]
impl StreamStore for DynamoStream {
    async fn read(&self) -> Result<Stream, LiveStoreError> {
        self.read_item(&self.table.read(ID).await?)
    }

    async fn begin(&self, order: LiveOrder, boundary: Timestamp) -> Result<Stream, LiveStoreError> {
        let update = if order == LiveOrder::Exact {
            self.table
                .update(ID, BEGIN_EXACT)
                .name("#boundary", "boundary")
                .name("#generation", "generation")
                .value(":boundary", Value::number(boundary.0))
                .value(":one", Value::number(1))
        } else {
            self.table.update(ID, "SET #order = :order")
        };
        let update = update
            .only_if(BEGINS)
            .name("#order", "order")
            .value(":order", Value::text(order.as_str()))
            .answer_after();
        match self.table.write(update).await? {
            Written::Through(item) => self.read_item(&item),
            Written::Refused => self.read().await,
        }
    }

    async fn hold(&self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError> {
        let update = self
            .table
            .update(ID, HOLD)
            .only_if(MAY_HOLD)
            .value(":owner", Value::text(owner))
            .value(":since", Value::number(since.0));
        self.table.write(update).await?.or_held()?;
        Ok(())
    }

    async fn release(&self, owner: &str, end: Option<HistoryEnd>) -> Result<(), LiveStoreError> {
        let update = match end {
            Some(end) => {
                let expression = end.dated_back.map_or(RELEASE_AT, |_| RELEASE_DATED_BACK);
                let update = self
                    .table
                    .update(ID, expression)
                    .name("#boundary", "boundary")
                    .name("#generation", "generation")
                    .name("#order", "order")
                    .value(":boundary", Value::number(end.until.0))
                    .value(":one", Value::number(1));
                match end.dated_back {
                    Some(time) => update.value(":datedBack", Value::number(time.0)),
                    None => update,
                }
            }
            None => self.table.update(ID, "REMOVE holdOwner, holdSince"),
        };
        let update = update.only_if(HOLDS).value(":owner", Value::text(owner));
        // Who does not hold it has nothing to release.
        self.table.write(update).await.map(|_| ())
    }
}
