//! What a command said, against what the page has it say.

use std::collections::BTreeMap;

use super::words;

/// Stands for any lines.
const ANY_LINES: &str = "…";

/// Names on the page, and what they are in this run.
#[derive(Debug, Default, Clone)]
pub struct Names {
    of_page: BTreeMap<String, String>,
}

impl Names {
    /// Those that are known before anything is run: on the page, and in this run.
    #[must_use]
    pub fn new(known: &[(&str, &str)]) -> Self {
        let known = known.iter();
        Self {
            of_page: known
                .map(|(p, r)| ((*p).to_owned(), (*r).to_owned()))
                .collect(),
        }
    }

    /// A command of the page as it is typed in this run.
    #[must_use]
    pub fn in_this_run(&self, command: &str) -> String {
        let pairs = self.of_page.iter();
        replaced(
            command,
            pairs.map(|(page, run)| (page.as_str(), run.as_str())),
        )
    }

    /// What was said in this run with the names of the page.
    #[must_use]
    pub fn on_the_page(&self, said: &str) -> String {
        let pairs = self.of_page.iter();
        replaced(said, pairs.map(|(page, run)| (run.as_str(), page.as_str())))
    }

    /// Whether the page says it, and takes in the names that are new.
    pub fn is_said(&mut self, page: &str, said: &str) -> bool {
        let said = self.on_the_page(said);
        let (page, said): (Vec<_>, Vec<_>) = (page.lines().collect(), said.lines().collect());
        let mut learned = self.clone();
        if learned.fit(&page, &said) {
            *self = learned;
            return true;
        }
        // What comes later may need the names of lines that are right.
        let mut rest = said.iter();
        for line in &page {
            let mut ahead = rest.clone();
            if ahead.any(|said| self.fits(line, said)) {
                rest = ahead;
            }
        }
        false
    }

    /// Whether these lines are those of the page, with [`ANY_LINES`] for any.
    fn fit(&mut self, page: &[&str], said: &[&str]) -> bool {
        match (page.split_first(), said.split_first()) {
            (None, None) => true,
            (Some((&ANY_LINES, rest)), _) => (0..=said.len()).any(|passed| {
                let mut learned = self.clone();
                let fits = learned.fit(rest, &said[passed..]);
                if fits {
                    *self = learned;
                }
                fits
            }),
            (None, Some(_)) | (Some(_), None) => false,
            (Some((line, page)), Some((other, said))) => {
                self.fits(line, other) && self.fit(page, said)
            }
        }
    }

    /// Whether a line is that of the page: the same text, and the same names where they are known.
    fn fits(&mut self, page: &str, said: &str) -> bool {
        let ((text, of_page), (other, of_run)) = (words::read(page), words::read(said));
        if text != other {
            return false;
        }
        let mut learned = self.of_page.clone();
        for (page, run) in of_page.into_iter().zip(of_run) {
            let is_known = learned.get(page).is_some_and(|known| known == run);
            if page == run || is_known {
                continue;
            }
            let is_taken = |name: &str| learned.iter().any(|(p, r)| p == name || r == name);
            if is_taken(page) || is_taken(run) {
                return false;
            }
            learned.insert(page.to_owned(), run.to_owned());
        }
        self.of_page = learned;
        true
    }
}

/// The text with each first of a pair replaced by its second; of two that fit, the longer.
fn replaced<'a>(text: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    let (mut done, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        if let Some((from, to)) = pairs.iter().find(|(from, _)| rest.starts_with(from)) {
            done.push_str(to);
            rest = &rest[from.len()..];
        } else {
            done.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_learned_and_must_be_the_same_again() {
        let mut names = Names::new(&[("ledger", "e2e-bucket-1")]);
        let page = "job       20240501-aaaaaaaa-1 of ledger\n";
        assert!(names.is_said(page, "job       20261127-bbbbbbbb-1 of e2e-bucket-1\n"));
        let command = "jobs pause 20240501-aaaaaaaa-1 ledger";
        assert_eq!(
            names.in_this_run(command),
            "jobs pause 20261127-bbbbbbbb-1 e2e-bucket-1"
        );
        let other = "new 20261127-ffffffff-1: watch 20261127-99999999-1\n";
        assert!(!names.is_said(
            "new 20240501-eeeeeeee-1: watch 20240501-eeeeeeee-1\n",
            other
        ));
        let twice = "new 20240501-eeeeeeee-1: watch 20240501-eeeeeeee-1\n";
        assert!(names.is_said(
            twice,
            "new 20261127-ffffffff-1: watch 20261127-ffffffff-1\n"
        ));
        assert!(!names.is_said(
            twice,
            "new 20261127-ffffffff-1: watch 20261127-99999999-1\n"
        ));
        // Another job where the page has the same, and the same where the page has another.
        assert!(!names.is_said("20240501-aaaaaaaa-1\n", "20261127-cccccccc-1\n"));
        assert!(!names.is_said("20240501-dddddddd-1\n", "20261127-bbbbbbbb-1\n"));
        assert!(!names.is_said("done\n", "failed\n"));
        assert!(!names.is_said("done\n", "done\nand more\n"));
    }

    #[test]
    fn dots_stand_for_any_lines() {
        let mut names = Names::default();
        assert!(names.is_said("…\ndone in 1 s\n", "a\nb\ndone in 2.5 s\n"));
        assert!(names.is_said("a\n…\n", "a\n"));
        assert!(names.is_said("a\n…\nb\n…\nc\n", "a\nx\nb\nc\n"));
        assert!(!names.is_said("a\n…\nb\n", "a\nb\nc\n"));
    }

    #[test]
    fn of_what_is_not_said_the_names_of_right_lines_are_learned() {
        let mut names = Names::default();
        assert!(!names.is_said(
            "job 20240501-aaaaaaaa-1\n",
            "job 20261127-bbbbbbbb-1\nmore\n"
        ));
        assert_eq!(
            names.on_the_page("20261127-bbbbbbbb-1"),
            "20240501-aaaaaaaa-1"
        );
    }
}
