//! A page typed again.

use std::fmt::Write as _;
use std::io::Result;

use super::{Names, Page, Shell, Turn};

/// What came of typing a page again.
#[derive(Debug)]
pub struct Again {
    /// How many commands were typed.
    pub commands: usize,
    /// What they say and the page does not; empty if it shows all of it.
    pub differences: String,
    /// The page with what they say now.
    pub page: String,
}

impl Again {
    /// Types the commands below headings that are meant, in their order. One that fails must be followed by `echo $?`.
    ///
    /// # Errors
    /// When the shell ends, or a command does not.
    pub fn typed(
        page: &Page,
        names: &mut Names,
        shell: &mut Shell,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut now: Vec<(Turn, String)> = Vec::new();
        let (mut differences, mut failed) = (String::new(), None::<String>);
        let mut differs = |command: &str, what: &str| {
            // Writing to a text cannot fail.
            let _ = writeln!(differences, "$ {command}\n{what}");
        };
        for turn in page.turns(is_meant) {
            if let Some(failed) = failed.filter(|_| turn.command != "echo $?") {
                differs(&failed, "failed, and no `echo $?` says so");
            }
            let (said, code) = shell.run(&names.in_this_run(&turn.command))?;
            failed = (code != 0).then(|| turn.command.clone());
            let is_said = names.is_said(&turn.said, &said);
            let said = names.on_the_page(&said);
            if is_said {
                now.push((turn.clone(), turn.said));
            } else {
                differs(&turn.command, &said);
                now.push((turn, said));
            }
        }
        if let Some(failed) = failed {
            differs(&failed, "failed, and no `echo $?` says so");
        }
        Ok(Self {
            commands: now.len(),
            differences,
            page: page.with(&now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(page: &str) -> Again {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Shell::start(folder.path(), folder.path(), &[]).unwrap();
        let page = Page::new(page.to_owned());
        Again::typed(&page, &mut Names::default(), &mut shell, |_| true).unwrap()
    }

    #[test]
    fn a_page_that_shows_what_is_said_is_as_it_is() {
        let page = "## One\n```console\n$ echo a; false\na\n$ echo $?\n1\n```\n";
        let again = typed(page);
        assert_eq!((again.commands, again.differences.as_str()), (2, ""));
        assert_eq!(again.page, page);
    }

    #[test]
    fn what_is_not_shown_is_told_and_the_page_that_shows_it_made() {
        let again = typed("## One\n```console\n$ echo a\nb\n$ false\n```\n");
        let expected = "$ echo a\na\n\n$ false\nfailed, and no `echo $?` says so\n";
        assert_eq!(again.differences, expected);
        assert_eq!(
            again.page,
            "## One\n```console\n$ echo a\na\n$ false\n```\n"
        );
    }
}
