//! How figures are written down: printed as they come, and kept in docs/BENCHMARKS.md.

use std::process::Command;

use anyhow::Context as _;

use crate::root;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end of figures -->";

/// Tables in Markdown.
pub struct Page {
    lines: Vec<String>,
}

impl Page {
    /// A page that tells of this machine.
    pub fn new() -> Self {
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
        let mut page = Self { lines: Vec::new() };
        page.say(&format!(
            "{}, {cores} x {processor}; {}; node {}; {}. Servers and clients share the machine.",
            told("date", "+%F"),
            told("rustc", "--version"),
            told("node", "--version"),
            told("python3", "--version"),
        ));
        page
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.lines.push(line.to_owned());
    }

    /// Begins a table.
    pub fn table(&mut self, title: &str, columns: &[&str]) {
        self.say(&format!("\n**{title}**\n"));
        self.say(&format!("| {} |", columns.join(" | ")));
        self.say(&format!("|{}", "---|".repeat(columns.len())));
    }

    /// A line of the table.
    pub fn row(&mut self, cells: &[String]) {
        self.say(&format!("| {} |", cells.join(" | ")));
    }

    /// Puts the figures in the place of the last ones.
    ///
    /// # Errors
    /// When the page cannot be written, or has lost its marks.
    pub fn write(&self) -> anyhow::Result<()> {
        let path = root().join("docs/BENCHMARKS.md");
        let text = std::fs::read_to_string(&path).context("reading docs/BENCHMARKS.md")?;
        let (before, rest) = text.split_once(BEGIN).context("it has lost its marks")?;
        let (_, after) = rest.split_once(END).context("it has lost its marks")?;
        let figures = self.lines.join("\n");
        std::fs::write(&path, format!("{before}{BEGIN}{figures}\n{END}{after}"))?;
        Ok(())
    }
}
