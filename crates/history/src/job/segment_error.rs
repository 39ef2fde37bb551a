//! Why a segment stopped early, and whether it may pass.

use bridge_core::failure::Failure;
use bridge_core::text::shown;

use crate::job::lease::KeepError;
use crate::plan::store::PlanError;
use crate::scan::error::ScanError;
use crate::send::error::SendError;

/// Why the work of a segment stopped early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another segment has the job.
    Fenced,
    /// It may pass.
    Fault(String),
    /// It will not pass by itself.
    Failure(String),
}

/// Bytes of an error that a job keeps as its last: it quotes what a server or a page said.
const MOST_KEPT: usize = 4_000;

/// The text of an error, fit to be kept and shown.
fn told(error: &dyn std::error::Error) -> String {
    shown(&error.to_string(), MOST_KEPT)
}

impl Trouble {
    fn of(error: &impl Failure) -> Self {
        if error.may_pass() {
            Self::Fault(told(error))
        } else {
            Self::Failure(told(error))
        }
    }
}

impl From<KeepError> for Trouble {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Fenced => Self::Fenced,
            KeepError::Store(_) => Self::Fault(told(&error)),
        }
    }
}

impl From<PlanError> for Trouble {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Fenced => Self::Fenced,
            error => Self::of(&error),
        }
    }
}

impl From<ScanError> for Trouble {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Plan(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Plan(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::failure::FailureKind;

    use super::*;
    use crate::scan::lister::ListError;

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
        let Trouble::Failure(kept) = Trouble::from(error) else {
            panic!("it does not pass");
        };
        assert!(kept.len() < MOST_KEPT + 100, "{} bytes", kept.len());
        assert!(!kept.contains(['\u{1b}', '\n']), "{kept}");
    }
}
