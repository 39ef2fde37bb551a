//! A run is read, and what that allocates counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge_history::plan::manifest::Run;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::store::PlanError;
use peak_alloc::PeakAlloc;

use crate::file::Sparse;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

pub(crate) const MEBIBYTE: usize = 1024 * 1024;

/// One test at a time: all count in one place.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `work` comes to, and the bytes that were allocated at most.
pub(crate) fn counted<T>(work: impl Future<Output = T>) -> (T, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let came_to = runtime.block_on(work);
    let allocated = ALLOCATED.peak_usage().saturating_sub(before);
    (came_to, allocated)
}

/// Reads it alone: the number of its rows, and the bytes that were allocated at most.
pub(crate) fn read(file: &Arc<Sparse>, run: &Run) -> (Result<usize, PlanError>, usize) {
    let file = Arc::<Sparse>::clone(file);
    counted(async {
        let mut reader = RunReader::open(file, run, None).await?;
        let mut rows = 0;
        while let Some(more) = reader.next_rows().await? {
            rows += more.len();
        }
        Ok(rows)
    })
}
