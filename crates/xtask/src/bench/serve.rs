//! `serve` under notifications, while SQS fails on and off and the process is killed and started again.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Programs;
use super::cases::{State, rate};
use super::page::Page;
use crate::run::say;

/// Seconds that notifications come.
const SECONDS: u64 = 60;

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    /// SQS takes nothing for two seconds of every ten, and the process is killed in the middle of two of them.
    Outages,
}

/// `LIVE_ORDER`, where notifications come from, how many a second, and meanwhile.
type Case = (&'static str, &'static str, u64, Trouble);

/// None lost, memory, processor time, and how long a change takes from its notification to the queue. The program fails
/// when one is lost, or when a key goes back that must not.
///
/// # Errors
/// Then, too.
pub(super) fn serve(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("serve under notifications");
    page.table(
        &format!(
            "`serve` for {SECONDS} s; SQS answers in 8 ms; troubles: SQS takes nothing for 2 s of every 10, and two \
             kill -9 in the middle of it; 10,000 keys"
        ),
        &[
            "`LIVE_ORDER`",
            "source",
            "a second",
            "troubles",
            "lost",
            "twice",
            "p50",
            "p99",
            "longest",
            "refused by HTTP",
            "CPU a notification",
            "peak memory",
        ],
    );
    for case in cases() {
        let told = run(programs, case, case.2 * SECONDS)?;
        page.row(&row(case, &told));
    }
    page.table(
        "`serve`, 60,000 notifications at once",
        &[
            "`LIVE_ORDER`",
            "source",
            "forwarded a second",
            "CPU a notification",
            "peak memory",
        ],
    );
    for order in ["notified", "newest", "exact"] {
        for source in ["queue", "http"] {
            // As fast as they are taken.
            let told = run(
                programs,
                (order, source, 10_000_000, Trouble::Nothing),
                60_000,
            )?;
            page.row(&[
                order.to_owned(),
                source.to_owned(),
                format!("{:.0}", rate(60_000, number(&told, "seconds"))),
                cpu(&told),
                peak(&told),
            ]);
        }
    }
    Ok(())
}

fn cases() -> impl Iterator<Item = Case> {
    let orders = ["notified", "newest", "exact"];
    orders.into_iter().flat_map(|order| {
        let sources = ["queue", "http"];
        sources.into_iter().flat_map(move |source| {
            let troubles = [Trouble::Nothing, Trouble::Outages];
            troubles.map(|trouble| (order, source, 2_000, trouble))
        })
    })
}

fn run(
    programs: &Programs,
    (order, source, rate, trouble): Case,
    count: u64,
) -> anyhow::Result<Value> {
    let state = State::new("bench-serve")?;
    let mut harness = Command::new(programs.target.join("notify-serve"));
    harness.args(["--order", order, "--source", source]);
    for (name, value) in [("--rate", rate), ("--count", count)] {
        harness.arg(name).arg(value.to_string());
    }
    if trouble == Trouble::Outages {
        harness.args(["--out-ms", "2000", "--kills", "2"]);
    }
    harness.arg("--state").arg(&state.0);
    harness.arg(programs.target.join("s3-sqs-bridge"));
    let told = harness.stderr(Stdio::inherit()).output()?;
    ensure!(
        told.status.success(),
        "{harness:?} failed ({})",
        told.status
    );
    serde_json::from_slice(&told.stdout).context("what notify-serve tells")
}

fn row((order, source, rate, trouble): Case, told: &Value) -> [String; 12] {
    let seconds = |figure| format!("{:.2} s", number(told, figure) / 1e3);
    [
        order.to_owned(),
        source.to_owned(),
        rate.to_string(),
        match trouble {
            Trouble::Nothing => "none".to_owned(),
            Trouble::Outages => "all".to_owned(),
        },
        // Or the program had failed.
        "0".to_owned(),
        told["repeated"].to_string(),
        seconds("p50Ms"),
        seconds("p99Ms"),
        seconds("mostMs"),
        told["refusals"].to_string(),
        cpu(told),
        peak(told),
    ]
}

fn cpu(told: &Value) -> String {
    format!(
        "{:.2} ms",
        number(told, "cpuMs") / number(told, "notifications")
    )
}

fn peak(told: &Value) -> String {
    format!("{:.0} MiB", number(told, "peakKib") / 1024.0)
}

fn number(told: &Value, figure: &str) -> f64 {
    told[figure].as_f64().unwrap_or(f64::NAN)
}
