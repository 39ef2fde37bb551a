//! Whether a call that failed is worth making again: one answer for everything that can fail.

use std::error::Error;
use std::fmt;

/// What a failure says about the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Too many requests: make fewer, and this one again.
    Throttled,
    /// A fault of the service, the network or time: the same request may succeed later.
    Transient,
    /// The request or the caller is at fault: making it again changes nothing.
    Permanent,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled",
            Self::Transient => "unavailable",
            Self::Permanent => "rejected",
        })
    }
}

/// An error that says whether another attempt may succeed.
pub trait Failure: Error {
    /// What it says about the next attempt.
    fn kind(&self) -> FailureKind;

    /// Whether another attempt may succeed.
    fn may_pass(&self) -> bool {
        self.kind() != FailureKind::Permanent
    }
}
