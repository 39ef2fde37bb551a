//! A plan store in a folder.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;

/// Runs in a folder, that take no memory there. It counts requests.
pub(crate) struct Folder {
    path: PathBuf,
    takes: Duration,
    pub(crate) asked: AtomicUsize,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
}

impl Folder {
    /// Each request to it takes so long.
    pub(crate) fn new(folder: &tempfile::TempDir, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            path: folder.path().to_owned(),
            takes,
            asked: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl PlanStore for Folder {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        std::fs::write(self.path.join(name), bytes).unwrap();
        Ok(())
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        use std::os::unix::fs::FileExt as _;
        let range = range.unwrap();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        let file = std::fs::File::open(self.path.join(name)).unwrap();
        file.read_exact_at(&mut bytes, range.start).unwrap();
        Ok(bytes.into())
    }
}
