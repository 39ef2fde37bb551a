//! How figures are written down: printed as they come, and kept in docs/BENCHMARKS.md.

use std::process::Command;

use anyhow::Context as _;

use crate::root;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end of figures -->";

/// Tables in Markdown.
pub(super) struct Page {
    lines: Vec<String>,
    /// Told below each title: tables may be of different days.
    machine: String,
}

impl Page {
    /// A page that names this machine.
    pub(super) fn new() -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|info| {
                let line = info.lines().find(|line| line.starts_with("model name"))?;
                Some(line.split_once(": ")?.1.to_owned())
            })
            .unwrap_or_else(|| "an unknown processor".to_owned());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let told = |program: &str, argument: &str| {
            Command::new(program)
                .arg(argument)
                .output()
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .unwrap_or_default()
        };
        let page = Self {
            lines: Vec::new(),
            machine: format!(
                "{}, {cores} x {processor}; {}; node {}; {}; clients share the machine with the server",
                told("date", "+%F"),
                told("rustc", "--version"),
                told("node", "--version"),
                told("python3", "--version"),
            ),
        };
        println!("{}", page.machine);
        page
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.lines.push(line.to_owned());
    }

    /// Begins a table.
    pub(super) fn table(&mut self, title: &str, columns: &[&str]) {
        self.say(&format!("\n**{title}**\n"));
        self.lines.push(format!("{}\n", self.machine));
        self.say(&format!("| {} |", columns.join(" | ")));
        self.say(&format!("|{}", "---|".repeat(columns.len())));
    }

    /// A line of the table.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.say(&format!("| {} |", cells.join(" | ")));
    }

    /// Puts the figures in the place of the last ones; tables that were not measured stay.
    ///
    /// # Errors
    /// When the page cannot be written, or has lost its marks.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let path = root().join("docs/BENCHMARKS.md");
        let text = std::fs::read_to_string(&path).context("reading docs/BENCHMARKS.md")?;
        let (before, rest) = text.split_once(BEGIN).context("it has lost its marks")?;
        let (old, after) = rest.split_once(END).context("it has lost its marks")?;
        let mut tables: Vec<String> = tables(old);
        for new in self::tables(&self.lines.join("\n")) {
            match tables.iter_mut().find(|old| name(old) == name(&new)) {
                Some(old) => *old = new,
                None => tables.push(new),
            }
        }
        let figures = tables.join("\n\n");
        std::fs::write(&path, format!("{before}{BEGIN}{figures}\n{END}{after}"))?;
        Ok(())
    }
}

/// The parts that begin with a title.
fn tables(text: &str) -> Vec<String> {
    text.split("\n**")
        .map(|part| part.trim_start_matches("**").trim())
        .filter(|part| part.contains("**"))
        .map(|part| format!("**{part}"))
        .collect()
}

/// A title up to its first figure: the machine and the day in the next line are no part of it.
fn name(table: &str) -> &str {
    let title = table.lines().next().unwrap_or(table);
    title.split([':', ';']).next().unwrap_or(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_by_their_titles() {
        let text = "\n**One; 5 a second**\n\n| a |\n\n**Two**\n\n| b |\n";
        let tables = tables(text);
        assert_eq!(tables, ["**One; 5 a second**\n\n| a |", "**Two**\n\n| b |"]);
        assert_eq!(name(&tables[0]), "**One");
        let days = [
            "**One; 5**\n\n2026-01-01, a; b",
            "**One; 6**\n\n2026-01-02, c; d",
        ];
        assert_eq!(name(days[0]), name(days[1]));
    }
}
