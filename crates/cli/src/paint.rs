//! Colours: on a terminal that takes them, and nowhere else (`NO_COLOR` and `CLICOLOR` are heard).

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// It is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Somebody should look.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// It is not well.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// It goes on.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();

/// `text` in a style, if standard output is a terminal that takes colours.
pub(crate) fn painted(text: &str, style: Style) -> String {
    match AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => text.to_owned(),
        _ => format!("{style}{text}{style:#}"),
    }
}

/// The style of a job's phase.
pub(crate) fn of_phase(phase: &str) -> Style {
    match phase {
        "done" => GOOD,
        "failed" => BAD,
        "paused" | "cancelled" => DOUBTFUL,
        _ => BUSY,
    }
}
