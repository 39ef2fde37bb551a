//! The realtime function beside a handler in JavaScript: started and invoked as Lambda does it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::Programs;
use super::measure::measure;
use super::page::Page;
use crate::progress::watch;
use crate::root;
use crate::run::{cargo, say};

/// Starts, and warm invocations of one record, that each figure is the median of.
const STARTS: u64 = 20;
const INVOCATIONS: u64 = 300;

/// Builds the function by itself, as it is built for AWS: beside other packages it would get their features.
///
/// # Errors
/// When it cannot be built.
pub(super) fn build() -> anyhow::Result<()> {
    let mut cargo = cargo();
    cargo.args(["build", "--locked", "--release", "--package", "realtime"]);
    watch("building the realtime function", &mut cargo)
}

/// Start, invocations, processor time and memory of both.
pub(super) fn realtime(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("the realtime function, as Lambda runs it");
    let function = programs.target.join("realtime");
    let (bytes, zipped) = sizes(&function)?;
    page.table(
        &format!(
            "Realtime as Lambda runs it; medians; program {bytes:.1} MB, zipped {zipped:.1} MB"
        ),
        &[
            "handler",
            "records",
            "SQS answers in",
            "start to first poll",
            "cold: to SQS, to the response",
            "warm: to SQS",
            "warm: to the response",
            "times SQS's answer",
            "CPU an invocation",
            "peak memory",
        ],
    );
    let script = programs.peers.join("realtime.mjs");
    let rust = vec![function];
    let javascript = vec![PathBuf::from("/usr/bin/env"), "node".into(), script];
    for (name, command) in [
        ("this project", &rust),
        ("JavaScript SDK v3, one awaited SendMessage", &javascript),
    ] {
        for records in [1, 10, 1000] {
            for milliseconds in [0, 8] {
                let told = invoke(programs, command, records, milliseconds)?;
                page.row(&row(name, records, milliseconds, &told));
            }
        }
    }
    Ok(())
}

/// Fewer invocations where each takes long.
fn invoke(
    programs: &Programs,
    command: &[PathBuf],
    records: u64,
    milliseconds: u64,
) -> anyhow::Result<Value> {
    let (starts, invocations) = if records > 100 {
        (STARTS / 4, INVOCATIONS / 60)
    } else {
        (STARTS, INVOCATIONS)
    };
    let mut harness = Command::new(programs.target.join("invoke-function"));
    for (name, value) in [
        ("--records", records),
        ("--send-ms", milliseconds),
        ("--starts", starts),
        ("--invocations", invocations),
    ] {
        harness.arg(name).arg(value.to_string());
    }
    let measured = measure(harness.arg("--").args(command))?;
    serde_json::from_str(&measured.output).context("what invoke-function tells")
}

fn row(name: &str, records: u64, milliseconds: u64, told: &Value) -> [String; 10] {
    let of = |part: &str, figure: &str| told[part][figure].as_f64().unwrap_or(f64::NAN);
    let ms = |number: f64| format!("{number:.2} ms");
    let times = of("warm", "responseMs") / of("warm", "answerMs");
    let peak = told["peakKib"].as_f64().unwrap_or(f64::NAN) / 1024.0;
    [
        name.to_owned(),
        records.to_string(),
        format!("{milliseconds} ms"),
        ms(told["firstPollMs"].as_f64().unwrap_or(f64::NAN)),
        format!(
            "{:.1}, {:.1} ms",
            of("cold", "requestMs"),
            of("cold", "responseMs")
        ),
        ms(of("warm", "requestMs")),
        ms(of("warm", "responseMs")),
        // Nothing to compare with where it answers at once.
        match milliseconds {
            0 => String::new(),
            _ => format!("{times:.2}"),
        },
        ms(of("warm", "cpuMs")),
        format!("{peak:.1} MiB"),
    ]
}

/// Megabytes of a program, and of it zipped as `sam package` does.
fn sizes(program: &Path) -> anyhow::Result<(f64, f64)> {
    const ZIP: &str = "import io, sys, zipfile\n\
        with io.BytesIO() as file:\n \
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as z: z.write(sys.argv[1], 'bootstrap')\n \
        print(len(file.getvalue()))";
    let mut python = Command::new("python3");
    let told = python.args(["-c", ZIP]).arg(program).current_dir(root());
    let told = told.output().context("zipping by python3")?;
    let zipped: f64 = String::from_utf8_lossy(&told.stdout).trim().parse()?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bytes = std::fs::metadata(program)?.len() as f64;
    Ok((bytes / 1e6, zipped / 1e6))
}
