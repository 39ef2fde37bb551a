//! Tables of a page.

use bridge_core::text::shown;
use maud::{Markup, html};

/// Bytes of a key that are shown: some lines.
const MOST_KEY: usize = 300;

/// Rows of figures below titles.
#[derive(Debug)]
pub(crate) struct Table {
    /// What it shows, for those who cannot see where it stands.
    pub caption: String,
    /// Of each column.
    pub titles: Vec<&'static str>,
    /// Each as long as the titles.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// A key or a prefix, and how far it is moved to the right.
    Key(String, usize),
    /// A figure as it is to be read.
    Figure(String),
    /// A part of something, `0.0..=1.0`: a bar, and in percent.
    Part(f64),
}

impl Table {
    /// As HTML. On a narrow page each row of one with keys is a block, with its titles inside.
    pub(crate) fn html(&self) -> Markup {
        html! {
            table role="table" class=(if self.has_keys() { "keys" } else { "plain" }) {
                caption.only-read { (self.caption) }
                thead role="rowgroup" {
                    tr role="row" {
                        @for (at, title) in self.titles.iter().enumerate() {
                            th role="columnheader" scope="col" class=[self.class_of(at)] { (title) }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in &self.rows {
                        tr role="row" {
                            @for (title, cell) in self.titles.iter().zip(row) {
                                td role="cell" class=[cell.class()] data-title=(title) { (cell.html()) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What may be as long as a line needs one of its own.
    fn has_keys(&self) -> bool {
        let mut cells = self.rows.iter().flatten();
        cells.any(|cell| matches!(cell, Cell::Key(..)))
    }

    /// A title stands as what is below it.
    fn class_of(&self, column: usize) -> Option<&'static str> {
        self.rows.first()?.get(column)?.class()
    }
}

impl Cell {
    fn class(&self) -> Option<&'static str> {
        match self {
            Self::Text(_) => None,
            Self::Key(..) => Some("key"),
            Self::Figure(_) => Some("figure"),
            Self::Part(_) => Some("part"),
        }
    }

    fn html(&self) -> Markup {
        html! {
            @match self {
                Self::Text(text) | Self::Figure(text) => span { (text) },
                Self::Key(key, depth) => code class=[indent(*depth)] { (shown(key, MOST_KEY)) },
                Self::Part(part) => {
                    @let percent = part.clamp(0.0, 1.0) * 100.0;
                    svg.bar aria-hidden="true" width="100%" height="12" {
                        rect.track width="100%" height="12" rx="2" {}
                        rect.filled width=(format!("{percent:.2}%")) height="12" rx="2" {}
                    }
                    span { (percent_text(percent)) }
                },
            }
        }
    }
}

/// The class of a depth; deeper than three is no deeper.
fn indent(depth: usize) -> Option<&'static str> {
    [None, Some("depth-1"), Some("depth-2"), Some("depth-3")][depth.min(3)]
}

/// In tenths; what is more than nothing is not said to be nothing.
fn percent_text(percent: f64) -> String {
    if percent > 0.0 && percent < 0.1 {
        "< 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_and_what_nobody_sees_is_shown() {
        let key = "a<script>alert(\"1\")</script>&'\u{1b}[31m\u{202e}\n海";
        let table = Table {
            caption: "Keys".to_owned(),
            titles: vec!["Key", "Of all", "Events"],
            rows: vec![vec![
                Cell::Key(key.to_owned(), 9),
                Cell::Part(0.0004),
                Cell::Figure("1,234".to_owned()),
            ]],
        };
        let html = table.html().into_string();
        let expected = "<code class=\"depth-3\">a&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;\
                        '\\u{1b}[31m\\u{202e}\\n海</code>";
        assert!(html.contains(expected), "{html}");
        assert!(html.contains("&lt; 0.1 %"), "{html}");
        assert!(html.contains("class=\"figure\">Events</th>"), "{html}");
    }
}
