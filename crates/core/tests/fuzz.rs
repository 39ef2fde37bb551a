//! Parsers on broken input: no panic, and no more memory than the input deserves.
//!
//! Valid documents are broken at random: bytes changed, cut out, doubled, put elsewhere. `cargo test`
//! tries some thousands of each; `BRIDGE_FUZZ=1000000 cargo test --release --test fuzz` tries more.
//! docs/ARCHITECTURE.md says how many were.

use std::path::Path;
use std::sync::Arc;

use bridge_core::job::request::Request;
use bridge_core::local::plans::LocalPlans;
use bridge_core::notification::parse_input;
use bridge_core::plan::PlanStore as _;
use bridge_core::plan::manifest::Run;
use bridge_core::plan::reader::RunReader;
use bridge_core::plan::run;
use bridge_core::scan::page::parse_page;
use bridge_core::time::Millis;
use bridge_core::version::{ObjectVersion, PlannedVersion};
use bytes::Bytes;

/// Inputs of each kind.
const TRIES: u64 = 20_000;

/// A run is opened for each try, which takes longer.
const RUN_TRIES: u64 = 4_000;

/// The most that the process may have had, MiB; broken lengths ask for gigabytes.
const MOST_MIB: u64 = 512;

fn tries(default: u64) -> u64 {
    std::env::var("BRIDGE_FUZZ").map_or(default, |n| n.parse().unwrap())
}

/// Breaks a document in one to four places.
fn broken(random: &mut fastrand::Rng, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(0..bytes.len().max(1));
        let length = random.usize(1..20).min(bytes.len().saturating_sub(at));
        match random.u8(0..6) {
            0 if length > 0 => bytes[at] = random.u8(..),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let part = bytes[at..at + length].to_vec();
                let to = random.usize(0..=bytes.len());
                bytes.splice(to..to, part);
            }
            3 => bytes.truncate(at),
            4 if length > 0 => {
                bytes[at] = *random.choice(b"<>&\"{}[],:%+-0123456789\0\xff").unwrap();
            }
            _ => {
                let more: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
                bytes.splice(at..at, more);
            }
        }
    }
    bytes
}

fn fixtures(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let good: Vec<_> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(good.len() > 2);
    good
}

/// How many of the broken inputs were still accepted: neither none nor all, or breaking breaks
/// too much or too little.
fn fuzz(good: &[Vec<u8>], tries: u64, accepts: impl Fn(&[u8]) -> bool) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut accepted = 0;
    for number in 0..tries {
        let document = &good[usize::try_from(number).unwrap() % good.len()];
        let input = broken(&mut random, document);
        // Whatever panics is to be found again.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| accepts(&input)));
        let told = || {
            panic!(
                "input {number} panics: {:?}",
                String::from_utf8_lossy(&input)
            )
        };
        accepted += u64::from(result.unwrap_or_else(|_| told()));
    }
    println!("{accepted} of {tries} were accepted");
    assert!(
        (tries / 100..tries).contains(&accepted),
        "{accepted} of {tries} were accepted"
    );
    assert!(peak_mib() < MOST_MIB, "{} MiB", peak_mib());
}

#[cfg(target_os = "linux")]
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[cfg(not(target_os = "linux"))]
fn peak_mib() -> u64 {
    0
}

#[test]
fn pages() {
    fuzz(&fixtures("listings", "xml"), tries(TRIES), |input| {
        parse_page(input).is_ok()
    });
}

#[test]
fn notifications() {
    fuzz(&fixtures("notifications", "json"), tries(TRIES), |input| {
        serde_json::from_slice(input).is_ok_and(|value| parse_input(&value).is_ok())
    });
}

#[test]
fn requests() {
    let good: Vec<Vec<u8>> = [
        r#"{"action":"start","prefix":"a/","from":"2024-05-01T00:00:00Z","until":"2025-05-01T00:00:00.123Z","order":"key","format":"s3","recordsPerMessage":100,"delivery":"batched","currentOnly":true,"events":"created","queueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q.fifo","maxRate":100,"pauseAboveDepth":5,"dryRun":false}"#,
        r#"{"action":"status","jobId":"20240501-1a2b3c4d-1"}"#,
        r#"{"action":"continue","jobId":"20240501-1a2b3c4d-1","epoch":7}"#,
        r#"{"action":"sweep"}"#,
        "{}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    fuzz(&good, tries(TRIES), |input| {
        serde_json::from_slice(input).is_ok_and(|value| Request::parse(value).is_ok())
    });
}

#[test]
fn runs() {
    let rows: Vec<_> = (0..3000).map(row).collect();
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalPlans::new(folder.path().to_owned()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (run, good) = runtime.block_on(async {
        let (run, _) = run::write(&*store, "good".to_owned(), rows).await.unwrap();
        (run, store.get("good", None).await.unwrap().to_vec())
    });
    fuzz(&[good], tries(RUN_TRIES), |input| {
        let run = Run {
            name: "broken".to_owned(),
            bytes: input.len() as u64,
            ..run.clone()
        };
        runtime.block_on(async {
            let bytes = Bytes::copy_from_slice(input);
            store.put("broken", bytes).await.unwrap();
            let Ok(mut reader) = RunReader::open(store.clone(), &run, None).await else {
                return false;
            };
            loop {
                match reader.next_rows().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
        })
    });
}

fn row(number: i64) -> PlannedVersion {
    PlannedVersion {
        effective_time: Millis(number * 1000),
        rank: 0,
        version: ObjectVersion {
            key: format!("key/{number:08}"),
            version_id: format!("{:032x}", number * 7_919),
            last_modified: Millis(number * 1000),
            is_latest: number % 2 == 0,
            is_delete_marker: number % 5 == 0,
            size: (number % 5 != 0).then_some(number.unsigned_abs()),
            e_tag: (number % 5 != 0).then(|| format!("{number:032x}")),
        },
    }
}
