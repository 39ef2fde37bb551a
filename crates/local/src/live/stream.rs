//! Port `StreamStore`: what holds for all keys. It is asked before anything is sent, so it is kept in memory, too:
//! nobody else writes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{HistoryEnd, Hold, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::live::database::{Tables, refused};
use crate::live::table::LocalLive;

/// Its name among what all keys share.
const STREAM: &str = "stream";

/// As it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    hold_owner: Option<String>,
    hold_since: Option<i64>,
    boundary: Option<i64>,
    covered: Option<i64>,
    covered_dated_back: Option<i64>,
    generation: u64,
    order: Option<String>,
}

/// The stream of a live table.
#[derive(Clone)]
pub struct LocalStream {
    table: LocalLive,
    known: Arc<Mutex<Known>>,
}

/// As it was read last.
#[derive(Default)]
struct Known {
    stream: Option<Stream>,
    /// One higher with each change: what was read before one is not learned after it.
    changes: u64,
}

impl LocalStream {
    /// The stream of `table`.
    #[must_use]
    pub fn new(table: LocalLive) -> Self {
        Self {
            table,
            known: Arc::default(),
        }
    }

    /// Changes it in one transaction, with which what is known of it is forgotten.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Stream) -> Result<T, LiveStoreError> + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        let known = Arc::clone(&self.known);
        let work = move |tables: &mut Tables<'_>| {
            let mut stream = read(tables)?;
            let done = change(&mut stream)?;
            let bytes = serde_json::to_vec(&Stored::from(&stream));
            tables.put_shared(STREAM, &bytes.map_err(|error| refused(&error))?)?;
            let mut known = lock(&known);
            known.stream = None;
            known.changes += 1;
            Ok(done)
        };
        self.table.database.write(work).await
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(tables: &Tables<'_>) -> Result<Stream, LiveStoreError> {
    let Some(bytes) = tables.shared(STREAM)? else {
        return Ok(Stream::default());
    };
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| refused(&error))?;
    // One that cannot be read must not be taken for none: it may be a hold.
    stored
        .stream()
        .ok_or_else(|| refused(&"its stream cannot be read"))
}

impl From<&Stream> for Stored {
    fn from(stream: &Stream) -> Self {
        let hold = stream.hold.as_ref();
        Self {
            hold_owner: hold.map(|hold| hold.owner.clone()),
            hold_since: hold.map(|hold| hold.since.0),
            boundary: stream.boundary.map(|time| time.0),
            covered: stream.covered.map(|time| time.0),
            covered_dated_back: stream.covered_dated_back.map(|time| time.0),
            generation: stream.generation,
            order: stream.order.map(|order| order.as_str().to_owned()),
        }
    }
}

impl Stored {
    fn stream(self) -> Option<Stream> {
        let hold = match (self.hold_owner, self.hold_since) {
            (Some(owner), Some(since)) => Some(Hold {
                owner,
                since: Timestamp(since),
            }),
            (None, None) => None,
            _ => return None,
        };
        let order = self.order.map(|word| word.parse().ok());
        Some(Stream {
            hold,
            boundary: self.boundary.map(Timestamp),
            covered: self.covered.map(Timestamp),
            covered_dated_back: self.covered_dated_back.map(Timestamp),
            generation: self.generation,
            order: match order {
                None => None,
                Some(order) => Some(order?),
            },
        })
    }
}

#[async_trait]
impl StreamStore for LocalStream {
    async fn read(&self) -> Result<Stream, LiveStoreError> {
        // Of a file that takes nothing it is better told now than after something was taken.
        if !self.table.database.has_failed()
            && let Some(stream) = lock(&self.known).stream.clone()
        {
            return Ok(stream);
        }
        let known = Arc::clone(&self.known);
        let work = move |tables: &mut Tables<'_>| Ok((read(tables)?, lock(&known).changes));
        let (stream, changes) = self.table.database.write(work).await?;
        let mut known = lock(&self.known);
        if known.changes == changes {
            known.stream = Some(stream.clone());
        }
        Ok(stream)
    }

    async fn begin(&self, order: LiveOrder, boundary: Timestamp) -> Result<Stream, LiveStoreError> {
        let begin = move |stream: &mut Stream| {
            stream.begin(order, boundary);
            Ok(stream.clone())
        };
        self.change(begin).await
    }

    async fn hold(&self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError> {
        let owner = owner.to_owned();
        self.change(move |stream| stream.hold_for(&owner, since))
            .await
    }

    async fn release(&self, owner: &str, end: Option<HistoryEnd>) -> Result<(), LiveStoreError> {
        let owner = owner.to_owned();
        let release = move |stream: &mut Stream| {
            stream.release(&owner, end);
            Ok(())
        };
        self.change(release).await
    }
}
