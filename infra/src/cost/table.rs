//! The table.

use std::fmt::Write as _;

use super::{Line, LiveOrder, Usage};
use crate::prices::Prices;

/// What an order adds that was not asked for.
const ADDED: [(LiveOrder, &str); 2] = [
    (
        LiveOrder::Newest,
        "`LiveOrder=newest` adds: two writes to DynamoDB a change, a read an invocation and a sweep, and the time they take",
    ),
    (
        LiveOrder::Exact,
        "`LiveOrder=exact` adds: the same, and a listing a change",
    ),
];

/// The table in Markdown, with its sums, and what `newest` and `exact` would add if none was asked for, and a key
/// and alarms.
#[must_use]
pub fn table(prices: &Prices, usage: &Usage) -> String {
    let lines = prices.lines(usage);
    let millions = |count: f64| format!("{} million", count / 1e6);
    let mut text = format!(
        "| US dollars, prices of {} | idle, a month | reseed: {} versions, {} events | {} live changes |\n|---|---|---|---|\n",
        prices.as_of,
        millions(usage.versions),
        millions(usage.events),
        millions(usage.live),
    );
    for line in &lines {
        write_line(&mut text, line);
    }
    let all = sum("**all**", &lines);
    write_line(&mut text, &all);
    if usage.live_order == LiveOrder::Notified {
        for (live_order, what) in ADDED {
            let ordered = Usage {
                live_order,
                ..usage.clone()
            };
            let with = sum(what, &prices.lines(&ordered));
            let added = Line {
                idle: with.idle - all.idle,
                reseed: with.reseed - all.reseed,
                live: with.live - all.live,
                ..with
            };
            write_line(&mut text, &added);
        }
    }
    for (what, idle) in [
        (
            "`KmsKeyArn` adds: a key that is yours alone (messages and objects ask for it at most every five minutes)",
            prices.key(),
        ),
        ("`AlarmTopicArn` adds: fourteen alarms", prices.alarms()),
    ] {
        let added = Line {
            what,
            idle,
            reseed: 0.0,
            live: 0.0,
        };
        write_line(&mut text, &added);
    }
    text
}

pub(super) fn sum(what: &'static str, lines: &[Line]) -> Line {
    let of = |part: fn(&Line) -> f64| lines.iter().map(part).sum();
    Line {
        what,
        idle: of(|line| line.idle),
        reseed: of(|line| line.reseed),
        live: of(|line| line.live),
    }
}

fn write_line(text: &mut String, line: &Line) {
    let dollars = |amount: f64| match amount {
        0.0 => String::new(),
        small if small < 0.005 => "< 0.01".to_owned(),
        amount => format!("{amount:.2}"),
    };
    let cells = [line.idle, line.reseed, line.live].map(dollars);
    let _ = writeln!(text, "| {} | {} |", line.what, cells.join(" | "));
}
