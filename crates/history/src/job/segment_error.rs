//! Why a segment stopped early, and whether it may pass.

use bridge_core::failure::Failure;
use bridge_core::text::shown;

use crate::job::lease::LeaseError;
use crate::plan::store::PlanError;
use crate::scan::error::ScanError;
use crate::send::error::SenderError;

/// Why the work of a segment stopped early.
#[derive(Debug)]
pub(super) enum SegmentError {
    /// Another segment has the job.
    Fenced,
    /// It may pass.
    Transient(String),
    /// It will not pass by itself.
    Permanent(String),
}

/// Bytes of an error that a job keeps as its last: it quotes what a server or a page said.
const MOST_KEPT: usize = 4_000;

/// The text of an error, fit to be kept and shown.
fn kept(error: &dyn std::error::Error) -> String {
    shown(&error.to_string(), MOST_KEPT)
}

impl SegmentError {
    pub(super) fn of(error: &impl Failure) -> Self {
        if error.may_pass() {
            Self::Transient(kept(error))
        } else {
            Self::Permanent(kept(error))
        }
    }
}

impl From<LeaseError> for SegmentError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Fenced => Self::Fenced,
            LeaseError::Store(_) => Self::Transient(kept(&error)),
        }
    }
}

impl From<PlanError> for SegmentError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Fenced => Self::Fenced,
            error => Self::of(&error),
        }
    }
}

impl From<ScanError> for SegmentError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Plan(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

impl From<SenderError> for SegmentError {
    fn from(error: SenderError) -> Self {
        match error {
            SenderError::Plan(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::failure::FailureKind;

    use super::*;
    use bridge_core::listing::lister::ListError;

    #[test]
    fn what_a_server_says_is_kept_in_bounds_and_on_one_line() {
        let error = ScanError::List {
            bucket: "ledger".to_owned(),
            marker: "the beginning".to_owned(),
            error: ListError {
                kind: FailureKind::Permanent,
                code: "Odd".to_owned(),
                message: "\u{1b}[2J\n".repeat(1_000_000),
            },
        };
        let SegmentError::Permanent(kept) = SegmentError::from(error) else {
            panic!("it does not pass");
        };
        assert!(kept.len() < MOST_KEPT + 100, "{} bytes", kept.len());
        assert!(!kept.contains(['\u{1b}', '\n']), "{kept}");
    }
}
