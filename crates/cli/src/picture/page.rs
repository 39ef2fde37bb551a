//! A page of figures, as one HTML file: nothing in it is fetched or run, and it follows light and dark.

use bridge_core::text::{MOST_SHOWN, shown};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::picture::chart::Chart;
use crate::picture::table::Table;

/// How it looks.
const STYLE: &str = include_str!("style.css");

/// A browser takes this style sheet and nothing else: no script, image, font, form or connection, whatever
/// a key may have brought into the page. Source: Content Security Policy Level 3.
const POLICY: &str = "default-src 'none'; style-src 'sha256-9XA3ncUx54MFJMc1X8uI/icPwEfV2AUTJvkuImDVGDk='; base-uri 'none'; form-action 'none'";

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// What it is about.
    pub title: String,
    /// What was asked: names and values, which may hold what others wrote.
    pub facts: Vec<(&'static str, String)>,
    /// The figures to see first, each with what it is.
    pub figures: Vec<(String, &'static str)>,
    /// The rest, in order.
    pub sections: Vec<Section>,
    /// How it came to be, at its end.
    pub source: String,
}

/// A part of a page under a heading.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub title: String,
    /// What is in it, in order.
    pub parts: Vec<Part>,
}

/// What a section is made of.
#[derive(Debug)]
pub(crate) enum Part {
    /// A paragraph.
    Text(String),
    /// One that must not be overlooked.
    Warning(String),
    /// A table.
    Table(Table),
    /// A chart, and the same figures as a table that can be opened below it.
    Chart(Chart, Table),
}

impl Page {
    /// As HTML.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub(crate) fn html(&self) -> anyhow::Result<String> {
        let mut sections = Vec::new();
        for section in &self.sections {
            sections.push(section.html()?);
        }
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { (seen(&self.title)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        header {
                            h1 { (seen(&self.title)) }
                            dl.facts {
                                @for (name, value) in &self.facts {
                                    div { dt { (name) } dd { (seen(value)) } }
                                }
                            }
                        }
                        @if !self.figures.is_empty() {
                            dl.figures {
                                @for (figure, what) in &self.figures {
                                    div { dt { (what) } dd { (figure) } }
                                }
                            }
                        }
                        @for section in &sections { (section) }
                        footer { p { (seen(&self.source)) } }
                    }
                }
            }
        };
        Ok(page.into_string())
    }
}

impl Section {
    fn html(&self) -> anyhow::Result<Markup> {
        let mut parts = Vec::new();
        for part in &self.parts {
            parts.push(match part {
                Part::Text(text) => html! { p { (seen(text)) } },
                Part::Warning(text) => html! { p.warning { (seen(text)) } },
                Part::Table(table) => table.html(),
                Part::Chart(chart, table) => html! {
                    (chart.html()?)
                    details {
                        summary { "The figures" }
                        (table.html())
                    }
                },
            });
        }
        Ok(html! {
            section {
                h2 { (seen(&self.title)) }
                @for part in parts { (part) }
            }
        })
    }
}

/// Without what nobody sees.
fn seen(text: &str) -> String {
    shown(text, 2 * MOST_SHOWN)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_names_the_style_sheet() {
        let digest = base64_simd::STANDARD.encode_to_string(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{digest}'")), "{digest}");
    }

    #[test]
    fn nothing_is_fetched_or_run_whatever_a_text_holds() {
        let evil = "</title><script src=https://x.example>\u{1b}[2J".to_owned();
        let page = Page {
            title: evil.clone(),
            facts: vec![("Prefix", evil.clone())],
            figures: vec![("1".to_owned(), "Events")],
            sections: vec![Section {
                title: evil.clone(),
                parts: vec![Part::Text(evil.clone()), Part::Warning(evil.clone())],
            }],
            source: evil,
        };
        let html = page.html().unwrap();
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains('\u{1b}'), "{html}");
        assert_eq!(
            html.matches("&lt;script src=https://x.example&gt;\\u{1b}[2J")
                .count(),
            7
        );
        for word in [
            " src=\"", "href=", "url(", "@import", " style=", "<link", "<img",
        ] {
            assert!(!html.contains(word), "{word}: {html}");
        }
    }
}
