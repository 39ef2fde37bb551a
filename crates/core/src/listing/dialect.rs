//! What a server's pages prove of the way it lists, and what was done before it was known.
//!
//! S3 lists a key's versions and delete markers together, newest first. Others list all delete markers
//! behind all versions (moto, `LocalStack`), or a key's oldest version first (`S3Mock`). Most pages do
//! not show it; what one page proves holds for the whole job, so that the order never depends on
//! where pages and ranges were cut.

use serde::{Deserialize, Serialize};

/// One question about a server, and what was assumed while it had no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Question {
    /// The answer, once a page has proven it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<bool>,
    /// A key was ordered as if the answer were yes, and would be ordered otherwise if it were no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    assumed_yes: bool,
    /// The opposite.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    assumed_no: bool,
}

/// The server proves one thing here and its opposite there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction;

impl Question {
    /// A page answers it. `Ok(true)` when keys were ordered otherwise before: the scan must begin again.
    ///
    /// # Errors
    /// [`Contradiction`] when another page has proven the opposite.
    pub fn prove(&mut self, answer: bool) -> Result<bool, Contradiction> {
        if self.proven.is_some_and(|proven| proven != answer) {
            return Err(Contradiction);
        }
        self.proven = Some(answer);
        let wrong = if answer {
            self.assumed_no
        } else {
            self.assumed_yes
        };
        Ok(wrong)
    }

    /// Whether the answer may be `answer`, as far as is known.
    #[must_use]
    pub fn may_be(self, answer: bool) -> bool {
        self.proven.is_none_or(|proven| proven == answer)
    }

    /// Notes that a key's order depended on this assumption.
    pub fn assume(&mut self, answer: bool) {
        if answer {
            self.assumed_yes = true;
        } else {
            self.assumed_no = true;
        }
    }

    /// What was ordered before counts no more.
    fn forget_assumptions(&mut self) {
        (self.assumed_yes, self.assumed_no) = (false, false);
    }
}

/// How a server lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dialect {
    /// Whether delete markers are listed apart from versions.
    pub markers_apart: Question,
    /// Whether a key's oldest version is listed first.
    pub oldest_first: Question,
    /// Whether a listing behind a key, without a version id, begins with this key (Ceph). It only
    /// costs requests.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repeats_marker_key: bool,
}

impl Dialect {
    /// As Amazon S3 lists: versions and markers together, newest first. What a page seems to show against it
    /// (a marker of a lifecycle rule is dated midnight) is none.
    #[must_use]
    pub fn of_s3() -> Self {
        let no = Question {
            proven: Some(false),
            ..Question::default()
        };
        Self {
            markers_apart: no,
            oldest_first: no,
            repeats_marker_key: false,
        }
    }

    /// A scan that begins again keeps what was proven.
    pub fn begin_again(&mut self) {
        self.markers_apart.forget_assumptions();
        self.oldest_first.forget_assumptions();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_proof_counts_only_against_what_was_assumed_otherwise() {
        let mut question = Question::default();
        assert!(question.may_be(true) && question.may_be(false));
        question.assume(true);
        assert_eq!(question.prove(true), Ok(false), "it was assumed rightly");
        assert_eq!(question.prove(false), Err(Contradiction));
        let mut question = Question::default();
        question.assume(true);
        assert_eq!(question.prove(false), Ok(true));
        question.forget_assumptions();
        assert_eq!(question.prove(false), Ok(false), "the scan has begun again");
        assert!(!question.may_be(true));
    }
}
