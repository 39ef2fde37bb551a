//! The findings as text or as JSON.

use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::{Value, json};

use crate::Outcome;
use crate::doctor::finding::{Finding, Level};
use crate::numbers::count;
use crate::paint::{BAD, BUSY, DOUBTFUL, GOOD, painted};

/// What was found, and of what.
pub(super) struct Told<'a> {
    /// The stack; `None` of `serve`.
    pub(super) stack: Option<&'a str>,
    /// What was found.
    pub(super) findings: &'a [Finding],
}

impl Told<'_> {
    fn number(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|found| found.level == level)
            .count()
    }

    /// Done only if nothing is wrong. Warnings, and what could not be looked at, do not count.
    pub(super) fn outcome(&self) -> Outcome {
        if self.number(Level::Wrong) == 0 {
            Outcome::Done
        } else {
            Outcome::Failed
        }
    }

    /// One JSON object.
    pub(super) fn as_json(&self) -> Value {
        let (what, name) = match self.stack {
            Some(stack) => ("stack", json!(stack)),
            None => ("serve", json!(true)),
        };
        json!({
            what: name,
            "wrong": self.number(Level::Wrong),
            "warnings": self.number(Level::Warning),
            "unchecked": self.number(Level::Unchecked),
            "findings": self.findings,
        })
    }

    /// A line for each, and below it what to do.
    pub(super) fn as_text(&self) -> String {
        let mut lines = Vec::new();
        for found in self.findings {
            let (word, style) = match found.level {
                Level::Ok => ("ok", GOOD),
                Level::Unchecked => ("unchecked", BUSY),
                Level::Warning => ("warning", DOUBTFUL),
                Level::Wrong => ("wrong", BAD),
            };
            let told = shown(&found.found, 4 * MOST_SHOWN);
            lines.push(format!(
                "{} {}: {told}",
                painted(&format!("{word:<9}"), style),
                found.check
            ));
            if !found.advice.is_empty() {
                lines.push(format!(
                    "          do: {}",
                    shown(&found.advice, 4 * MOST_SHOWN)
                ));
            }
        }
        let (wrong, warnings) = (self.number(Level::Wrong), self.number(Level::Warning));
        lines.push(format!(
            "{}: {wrong} wrong, {}, {} not checked, {} ok",
            self.stack
                .map_or_else(|| "serve".to_owned(), |stack| format!("stack {stack}")),
            count(warnings as u64, "warning"),
            self.number(Level::Unchecked),
            self.number(Level::Ok),
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_is_a_failure_and_each_finding_says_what_to_do() {
        let mut findings = vec![
            Finding::ok("queue", "FIFO"),
            Finding::warning("on-failure", "1 message", "redrive"),
            Finding::unchecked("metrics", "AccessDenied", "allow it"),
        ];
        let told = |findings: &[Finding]| {
            let told = Told {
                stack: Some("s"),
                findings,
            };
            (told.outcome(), told.as_text(), told.as_json())
        };
        assert_eq!(told(&findings).0, Outcome::Done);
        findings.push(Finding::wrong("buffer", "why\u{1b}", "this"));
        let (outcome, text, json) = told(&findings);
        assert_eq!(outcome, Outcome::Failed);
        let expected = "\
ok        queue: FIFO
warning   on-failure: 1 message
          do: redrive
unchecked metrics: AccessDenied
          do: allow it
wrong     buffer: why\\u{1b}
          do: this
stack s: 1 wrong, 1 warning, 1 not checked, 1 ok";
        assert_eq!(text, expected);
        assert_eq!((&json["wrong"], &json["warnings"]), (&json!(1), &json!(1)));
        assert_eq!(json["findings"][3]["do"], "this");
        assert_eq!(json["findings"][0].get("do"), None);
    }
}
