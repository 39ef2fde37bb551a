//! What a segment is asked to do.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::id::{Epoch, JobId};

/// One invocation of a job.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// Which job.
    pub job_id: &'a JobId,
    /// The epoch that it was left at; `None` takes it at any.
    pub expected_epoch: Option<Epoch>,
    /// Who asks: the invocation's request id.
    pub owner: &'a str,
    /// How long it may take.
    pub budget: Duration,
    /// Once cancelled, it comes to an orderly end.
    pub stop: CancellationToken,
}
