//! Adapters of the ports for one machine: a directory instead of S3, `DynamoDB` and Lambda.
//!
//! - [`state`]: the directory, held by one process at a time
//! - [`plans`]: runs and manifests as files
//! - [`jobs`]: job states as files
//! - [`lines`]: events as lines of a file or of standard output

pub mod jobs;
pub mod lines;
pub mod plans;
pub mod state;

use std::io::{self, Write as _};
use std::path::Path;

use async_trait::async_trait;

use crate::job::Continuation;

/// Nobody else goes on with a job of this process: it does so itself, when it is run again.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContinuation;

#[async_trait]
impl Continuation for NoContinuation {
    async fn invoke(&self, _job_id: &str, _epoch: u64) -> Result<(), String> {
        Ok(())
    }
}

/// Writes a file that is there as a whole or not at all, whatever dies in between.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension("unfinished");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&unfinished, path)
}
