//! Charts of a page: columns that stand on one another, drawn as SVG by charts-rs.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use charts_rs::{BarChart, Color, Series};
use maud::{Markup, PreEscaped, html};

/// Widths that a chart is drawn for, with its height: a drawing that is scaled has letters of another size.
/// The style sheet shows the one that fits.
const DRAWINGS: [(&str, f32, f32); 3] = [
    ("narrow", 360.0, 240.0),
    ("medium", 640.0, 280.0),
    ("wide", 1040.0, 320.0),
];

/// Drawn so much larger than shown: the library leaves ten units between two columns, which is more than
/// many columns have.
const SCALE: f32 = 8.0;

/// Height of its letters, as the library takes them: its own are narrow, and a reader's may be wide. The style
/// sheet shows them in 12, so that labels have room in any.
const FONT: f32 = 14.5;

/// Kinds that have a colour.
const MOST_KINDS: usize = 5;

/// Numbers by column, in kinds that stand on one another.
#[derive(Debug)]
pub(crate) struct Chart {
    /// What it shows.
    pub title: String,
    /// In a sentence, for those who do not see it.
    pub description: String,
    /// What is counted, below it.
    pub unit: &'static str,
    /// The columns' names.
    pub columns: Vec<String>,
    /// Names, and a number for each column: five, at most.
    pub kinds: Vec<(&'static str, Vec<u64>)>,
}

impl Chart {
    /// As HTML with SVG in it.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub(crate) fn html(&self) -> anyhow::Result<Markup> {
        let mut drawings = Vec::new();
        for (class, width, height) in DRAWINGS {
            let drawing = self.draw(width, height);
            let drawing = drawing.with_context(|| format!("drawing {:?}", self.title))?;
            drawings.push((class, self.named(&drawing)?));
        }
        Ok(html! {
            figure {
                figcaption {
                    (self.unit)
                    @if self.kinds.len() > 1 {
                        @for (at, (name, _)) in self.kinds.iter().enumerate() {
                            " " span class=(format!("legend kind-{at}")) { (name) }
                        }
                    }
                }
                @for (class, drawing) in &drawings {
                    div class=(format!("chart {class}")) { (PreEscaped(drawing)) }
                }
            }
        })
    }

    fn draw(&self, width: f32, height: f32) -> anyhow::Result<String> {
        let series = self.kinds.iter().map(|(name, numbers)| {
            #[expect(clippy::cast_precision_loss, reason = "a column's height")]
            let numbers: Vec<f32> = numbers.iter().map(|n| *n as f32).collect();
            let mut series: Series = (*name, numbers).into();
            series.stack = Some("all".to_owned());
            series
        });
        let mut chart = BarChart::new(series.collect(), self.columns.clone());
        (chart.width, chart.height) = (width * SCALE, height * SCALE);
        chart.margin = charts_rs::Box {
            left: 4.0 * SCALE,
            top: 10.0 * SCALE,
            right: 14.0 * SCALE,
            bottom: 0.0,
        };
        chart.background_color = Color::transparent();
        chart.series.colors = (0..MOST_KINDS).map(|at| Paint::Kind(at).mark()).collect();
        chart.grid.stroke_color = Paint::Grid.mark();
        chart.grid.stroke_width = SCALE;
        chart.x_axis.stroke_color = Paint::Grid.mark();
        chart.x_axis.stroke_width = Some(SCALE);
        chart.x_axis.font.color = Paint::Text.mark();
        chart.x_axis.font.size = FONT * SCALE;
        chart.x_axis.height = 30.0 * SCALE;
        chart.x_axis.name_gap = 10.0 * SCALE;
        chart.legend.show = Some(false);
        chart.compact = true;
        if let Some(axis) = chart.y_axis_configs.first_mut() {
            axis.font.color = Paint::Text.mark();
            axis.font.size = FONT * SCALE;
            axis.name_gap = 6.0 * SCALE;
            axis.width = Some((6.0 + 8.0 * self.label_length()) * SCALE);
            axis.stroke_color = Paint::Grid.mark();
            axis.min = Some(0.0);
            // No halves of an event.
            axis.split_number = usize::try_from(self.largest()).unwrap_or(4).clamp(1, 4);
        }
        let mut svg = chart.svg()?;
        for paint in Paint::all() {
            svg = svg.replace(&paint.mark().hex(), paint.variable());
        }
        Ok(svg)
    }

    /// Characters of a number at the side, at most: `80`, `400`, `12.5k`.
    fn label_length(&self) -> f32 {
        match self.largest() {
            0..100 => 3.0,
            100..1_000 => 4.0,
            _ => 6.0,
        }
    }

    /// The largest column.
    fn largest(&self) -> u64 {
        let column = |at: usize| self.kinds.iter().filter_map(move |(_, of)| of.get(at));
        let sums = (0..self.columns.len())
            .map(|at| column(at).fold(0u64, |sum, number| sum.saturating_add(*number)));
        sums.max().unwrap_or(0)
    }

    /// A drawing with a name and a description that programs read aloud.
    fn named(&self, drawing: &str) -> anyhow::Result<String> {
        // Names are unique in a page.
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        let number = DRAWN.fetch_add(1, Ordering::Relaxed);
        let inside = drawing
            .strip_prefix("<svg ")
            .and_then(|rest| rest.split_once('>'));
        let (attributes, inside) = inside.context("the drawing is no SVG")?;
        let (title, description) = (format!("title-{number}"), format!("desc-{number}"));
        let names = html! {
            title id=(title) { (self.title) }
            desc id=(description) { (self.description) }
        };
        Ok(format!(
            "<svg role=\"img\" aria-labelledby=\"{title} {description}\" {attributes}>{}{inside}",
            names.into_string()
        ))
    }
}

/// What is drawn in a colour. The library wants colours of numbers; those of the page are variables that
/// follow light and dark, so it is given marks that are exchanged.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Text,
    Grid,
    Kind(usize),
}

impl Paint {
    fn all() -> [Self; 2 + MOST_KINDS] {
        [
            Self::Text,
            Self::Grid,
            Self::Kind(0),
            Self::Kind(1),
            Self::Kind(2),
            Self::Kind(3),
            Self::Kind(4),
        ]
    }

    /// A colour that nothing else has.
    fn mark(self) -> Color {
        let b = match self {
            Self::Text => 0x1e,
            Self::Grid => 0x2e,
            Self::Kind(at) => [0x3e, 0x4e, 0x5e, 0x6e, 0x7e][at],
        };
        Color {
            r: 0x12,
            g: 0x34,
            b,
            a: 0xff,
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Text => "var(--quiet)",
            Self::Grid => "var(--line)",
            Self::Kind(at) => [
                "var(--kind-0)",
                "var(--kind-1)",
                "var(--kind-2)",
                "var(--kind-3)",
                "var(--kind-4)",
            ][at],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(columns: usize, number: u64) -> String {
        let chart = Chart {
            title: "Events <over> time".to_owned(),
            description: "Most in 2024".to_owned(),
            unit: "Events",
            columns: (0..columns).map(|at| format!("20{at:02}-05")).collect(),
            kinds: vec![
                ("created", vec![number; columns]),
                ("removed", vec![1; columns]),
            ],
        };
        chart.html().unwrap().into_string()
    }

    #[test]
    fn it_is_drawn_in_the_colours_of_the_page_and_named() {
        let html = chart(100, 1_000_000);
        assert!(!html.contains("=\"#"), "{html}");
        assert!(!html.contains("<style"), "{html}");
        assert!(!html.contains("style="), "{html}");
        for part in [
            "fill=\"var(--kind-0)\"",
            "fill=\"var(--kind-1)\"",
            "fill=\"var(--quiet)\"",
            "var(--line)",
            ">Events &lt;over&gt; time</title>",
            ">Most in 2024</desc>",
            "legend kind-1\">removed",
            ">1.2M<",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(html.len() < 90_000, "{} bytes", html.len());
    }

    #[test]
    fn one_column_and_one_event_are_a_chart_too() {
        for (columns, number) in [(1, 0), (1, 1), (2, 2), (120, u64::MAX)] {
            let html = chart(columns, number);
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
            assert!(!html.contains(">0.5<"), "{html}");
        }
    }
}
