//! A page, and the commands in it.

use std::ops::Range;

/// Where a block of commands begins and ends.
const BEGIN: &str = "```console\n";
const END: &str = "```\n";

/// A command, and what the page has it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// As it is typed, without the prompt; of several lines where one ends with a backslash.
    pub command: String,
    /// What it says, with a line's end behind the last line.
    pub said: String,
    /// Where in the page that stands.
    place: Range<usize>,
}

/// A page of the documentation.
#[derive(Debug, Clone)]
pub struct Page {
    text: String,
}

impl Page {
    /// A page with this text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { text }
    }

    /// All commands in order, of the headings of the second level that `is_meant`.
    #[must_use]
    pub fn turns(&self, is_meant: impl Fn(&str) -> bool) -> Vec<Turn> {
        let (mut turns, mut in_block, mut is_in) = (Vec::<Turn>::new(), false, false);
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let (begin, end) = (at, at + line.len());
            at = end;
            let open = turns.last_mut().filter(|turn| turn.command.ends_with('\\'));
            if let Some(heading) = line.strip_prefix("## ").filter(|_| !in_block) {
                is_in = is_meant(heading.trim_end());
            } else if line == BEGIN {
                in_block = true;
            } else if line == END || !in_block || !is_in {
                in_block &= line != END;
            } else if let Some(turn) = open {
                turn.command.push('\n');
                turn.command.push_str(line.trim_end());
                turn.place = end..end;
            } else if let Some(command) = line.strip_prefix("$ ") {
                turns.push(Turn {
                    command: command.trim_end().to_owned(),
                    said: String::new(),
                    place: end..end,
                });
            } else if let Some(turn) = turns.last_mut() {
                turn.said.push_str(line);
                turn.place = turn.place.start.min(begin)..end;
            }
        }
        turns
    }

    /// The page with other words said.
    #[must_use]
    pub fn with(&self, said: &[(Turn, String)]) -> String {
        let (mut text, mut at) = (String::new(), 0);
        for (turn, said) in said {
            text.push_str(&self.text[at..turn.place.start]);
            text.push_str(said);
            at = turn.place.end;
        }
        text + &self.text[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n## One\n$ no command\n```console\n$ a \\\n    b\nsaid\n$ c\n```\ntext\n\
                        ## Two\n```sh\n$ no command\n```\n```console\n$ d\n1\n2\n```\n";

    #[test]
    fn commands_and_what_they_say_are_found_and_put_back() {
        let page = Page::new(PAGE.to_owned());
        let turns = page.turns(|_| true);
        let told: Vec<_> = turns
            .iter()
            .map(|turn| (turn.command.as_str(), turn.said.as_str()))
            .collect();
        assert_eq!(
            told,
            [("a \\\n    b", "said\n"), ("c", ""), ("d", "1\n2\n")]
        );
        assert_eq!(page.turns(|heading| heading == "Two").len(), 1);
        let same: Vec<_> = turns.iter().map(|t| (t.clone(), t.said.clone())).collect();
        assert_eq!(page.with(&same), PAGE);
        let other = [(turns[1].clone(), "new\n".to_owned())];
        assert_eq!(page.with(&other), PAGE.replace("$ c\n", "$ c\nnew\n"));
    }
}
