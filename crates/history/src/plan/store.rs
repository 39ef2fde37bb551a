//! Port: where plans are kept.

use std::ops::Range;

use async_trait::async_trait;
use bridge_core::failure::{Failure, FailureKind};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::plan::position::Position;

/// Bytes of an object that is read whole, at most: a manifest of a hundred thousand runs.
pub const MOST_WHOLE: usize = 64 * 1024 * 1024;

/// Bytes that are read of an object at once, at most. A row group that is held whole, or a piece of a larger one, has
/// far less.
pub const MOST_PART: usize = 256 * 1024 * 1024;

/// Port: where plans are kept. Names are relative (`jobs/<jobId>/…`). A reader finds an object whole or not at
/// all.
#[async_trait]
pub trait PlanStore: Send + Sync {
    /// Writes an object, or replaces the one of this name.
    ///
    /// # Errors
    /// [`PlanError::Store`], whose kind says whether to try again. The object may have been written all the
    /// same.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError>;

    /// Reads the bytes of `range`, which begins within the object: those that there are, none for an empty
    /// range. Without a range, all of an object of up to [`MOST_WHOLE`] bytes. It holds no more than was
    /// asked for, whatever the store sends, and does not wait for ever.
    ///
    /// # Errors
    /// [`PlanError::Store`], whose kind says whether to try again: [`FailureKind::Permanent`] when there is
    /// no such object.
    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError>;

    /// Which content an object has now. `None` in a store in which nobody replaces objects.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn tag(&self, _name: &str) -> Result<Option<Tag>, PlanError> {
        Ok(None)
    }

    /// [`get`](Self::get), of an object that has this content.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`PlanError::Refused`] when it has been replaced since.
    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        _tag: &Tag,
    ) -> Result<Bytes, PlanError> {
        self.get(name, Some(range)).await
    }
}

/// Which content an object has: it has another one as soon as it is replaced, also by one of the same length. What is in
/// it is the store's own affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub String);

/// Why a plan cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The store's refusal.
    #[error("{doing} plan object {name}: {reason}")]
    Store {
        /// `reading` or `writing`.
        doing: &'static str,
        /// The object.
        name: String,
        /// The store's reason.
        reason: String,
        /// Whether the next attempt may have better luck.
        kind: FailureKind,
    },
    /// An object that is not what the manifest says it is.
    #[error("plan object {name} is damaged: {reason}")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A plan from elsewhere that is not as it must be.
    #[error("plan from elsewhere: {name}: {reason}")]
    Refused {
        /// The manifest or the run.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A row that another run has too.
    #[error("plan object {name} is damaged: it repeats a row at {at:?}")]
    Repeated {
        /// The object.
        name: String,
        /// Where.
        at: Position,
    },
    /// Reading it takes more memory than there is. Its row groups are too large, or too many runs overlap.
    #[error(
        "reading plan object {name} takes {} KiB more, and a merge has {} KiB for all that it reads at once: give \
         it more memory, or write the plan with smaller row groups, or with runs that do not overlap",
        bytes.div_ceil(1024), limit / 1024
    )]
    Memory {
        /// The object.
        name: String,
        /// What is needed, bytes.
        bytes: usize,
        /// What a merge may hold, bytes.
        limit: usize,
    },
    /// The job belongs to another segment now, or cannot be written.
    #[error("the plan could not be committed: {0}")]
    Commit(String),
    /// The job has been taken over: this segment has no say any more.
    #[error("the job was taken over by another segment")]
    Fenced,
}

impl PlanError {
    /// An object that is not what the manifest says it is, and what is wrong with it.
    #[must_use]
    pub fn damaged(name: &str, reason: impl Into<String>) -> Self {
        Self::Damaged {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }

    /// An object of a plan from elsewhere that was exchanged while it was read.
    #[must_use]
    pub fn replaced(name: String) -> Self {
        Self::Refused {
            name,
            reason: "it was replaced while it was read: start another job, and leave the plan as it is until that has \
                     read it"
                .to_owned(),
        }
    }
}

impl Failure for PlanError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Store { kind, .. } => *kind,
            Self::Commit(_) => FailureKind::Transient,
            Self::Damaged { .. }
            | Self::Refused { .. }
            | Self::Repeated { .. }
            | Self::Memory { .. }
            | Self::Fenced => FailureKind::Permanent,
        }
    }
}
