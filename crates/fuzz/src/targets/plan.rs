//! A run, read to its end.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Run;
use bridge_history::plan::position::Position;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;

use super::block_on;

/// A plan store of one object.
pub(super) struct One(Bytes);

impl One {
    pub(super) fn new(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self(Bytes::copy_from_slice(bytes)))
    }
}

#[async_trait]
impl PlanStore for One {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        Ok(())
    }

    async fn get(&self, _: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let length = self.0.len();
        let at = |place: u64| usize::try_from(place).map_or(length, |place| place.min(length));
        Ok(range.map_or(self.0.clone(), |range| {
            self.0.slice(at(range.start)..at(range.end))
        }))
    }
}

pub(super) fn accepts(input: &[u8]) -> bool {
    let place = |key: &str| Position {
        effective_time: Timestamp(0),
        key: key.to_owned(),
        rank: 0,
    };
    let run = Run {
        name: "run".to_owned(),
        rows: 1,
        bytes: input.len() as u64,
        footer_crc32: None,
        first: place("a"),
        last: place("b"),
        after: None,
    };
    block_on(async {
        let Ok(mut reader) = RunReader::open(One::new(input), &run, None).await else {
            return false;
        };
        loop {
            match reader.next_rows().await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    })
}
