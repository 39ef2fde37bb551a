//! A plan that somebody else made: its manifest, as docs/PLANS.md says, and what of it can be checked before its
//! rows are read.
//!
//! - [`place`]: where it is; [`footers`]: what its runs say about themselves; [`unchanged`]: one that must stay as it is

pub mod footers;
pub mod place;
pub mod unchanged;

use std::collections::HashSet;

use bridge_core::event::digest_of_bytes;
use serde::Deserialize;

use crate::plan::manifest::{Run, Summary};
use crate::plan::store::{PlanError, PlanStore};

/// The version of the format that is read.
const VERSION: u64 = 1;

/// Runs of a plan, at most.
const MOST_RUNS: usize = 100_000;

/// The longest name of a run, bytes: a key of S3 has no more.
const MOST_NAME: usize = 1024;

/// A plan from elsewhere, as its manifest describes it. The names of its runs are relative to the manifest's
/// folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The sorted runs.
    pub runs: Vec<Run>,
    /// What they hold.
    pub summary: Summary,
    /// Of the manifest's bytes: tells whether it is still the same.
    pub digest: String,
}

/// The manifest as it is written; what is unknown is left alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    bucket: String,
    /// Of a plan of a job of this program, whose names are relative to the folder above `jobs`.
    #[serde(default)]
    job_id: Option<String>,
    /// What that job had still to list.
    #[serde(default)]
    ranges: Vec<serde::de::IgnoredAny>,
    /// What that job had still to read of another plan.
    #[serde(default)]
    adopting: Option<serde::de::IgnoredAny>,
    runs: Vec<Run>,
    summary: Summary,
}

/// Read before all else, since another version may have other fields.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Elsewhere {
    /// Reads and checks the manifest `name` of a plan of `bucket`.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read, or is not one of this format; says what to do.
    pub async fn load(store: &dyn PlanStore, name: &str, bucket: &str) -> Result<Self, PlanError> {
        let bytes = store.get(name, None).await?;
        Self::parse(&bytes, bucket).map_err(|reason| PlanError::Refused {
            name: name.to_owned(),
            reason,
        })
    }

    fn parse(bytes: &[u8], bucket: &str) -> Result<Self, String> {
        let Version { version } = serde_json::from_slice(bytes)
            .map_err(|e| format!("it is no manifest of a plan: {e}"))?;
        if version != VERSION {
            return Err(format!("version: found {version}, allowed is {VERSION}"));
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if written.bucket != bucket {
            return Err(format!(
                "bucket: found {:?}, and events are sent of bucket {bucket:?} only",
                written.bucket
            ));
        }
        if !written.ranges.is_empty() || written.adopting.is_some() {
            return Err(
                "ranges: the job that made it had not listed all: let it end first".to_owned(),
            );
        }
        if written.runs.len() > MOST_RUNS {
            return Err(format!(
                "runs: found {}, allowed are {MOST_RUNS}: write larger ones",
                written.runs.len()
            ));
        }
        let own = written.job_id.map(|id| format!("jobs/{id}/"));
        let mut runs = written.runs;
        for run in &mut runs {
            if let Some(name) = own.as_ref().and_then(|own| run.name.strip_prefix(own)) {
                run.name = name.to_owned();
            }
        }
        check_runs(&runs, &written.summary)?;
        Ok(Self {
            runs,
            summary: written.summary,
            digest: digest_of_bytes(bytes),
        })
    }
}

/// # Errors
/// The first run or sum that cannot be.
fn check_runs(runs: &[Run], summary: &Summary) -> Result<(), String> {
    let mut names = HashSet::new();
    let mut rows: u64 = 0;
    for (number, run) in runs.iter().enumerate() {
        let wrong = |what: &str| Err(format!("runs[{number}] ({:?}): {what}", run.name));
        if !is_name(&run.name) {
            return wrong(
                "its name must lead to a file below the manifest's folder, like runs/00000.parquet",
            );
        }
        if !names.insert(&run.name) {
            return wrong("it is listed twice");
        }
        if run.rows == 0 {
            return wrong("it has no rows: leave it out");
        }
        if run.first > run.last {
            return wrong("its first position is behind its last");
        }
        let Some(sum) = rows.checked_add(run.rows) else {
            return wrong("the sum of rows is no number of events");
        };
        rows = sum;
    }
    if rows != summary.events {
        return Err(format!(
            "summary.events is {}, and the runs have {rows} rows",
            summary.events
        ));
    }
    let kinds = summary.created.checked_add(summary.removed);
    if kinds != Some(summary.events) {
        return Err(format!(
            "summary: {} created and {} removed are not {} events",
            summary.created, summary.removed, summary.events
        ));
    }
    Ok(())
}

/// Whether it leads to a file below a folder, and nowhere else.
fn is_name(name: &str) -> bool {
    name.len() <= MOST_NAME
        && !name.contains(['\\', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn position(key: &str) -> Value {
        json!({ "effectiveTime": "2024-05-01T12:00:00.000Z", "key": key, "rank": 0 })
    }

    fn run(name: &str, rows: u64) -> Value {
        json!({ "name": name, "rows": rows, "bytes": 900, "first": position("a"), "last": position("z") })
    }

    fn manifest() -> Value {
        json!({
            "version": 1, "bucket": "ledger", "madeBy": "somebody", "of": "no concern",
            "runs": [run("runs/0.parquet", 2), run("runs/1.parquet", 1)],
            "summary": { "events": 3, "created": 2, "removed": 1, "bytes": 9, "byMonth": { "2024-05": 3 } },
        })
    }

    fn parsed(manifest: &Value) -> Result<Elsewhere, String> {
        Elsewhere::parse(manifest.to_string().as_bytes(), "ledger")
    }

    #[test]
    fn a_manifest_is_read_with_fields_that_nobody_knows() {
        let read = parsed(&manifest()).unwrap();
        assert_eq!(read.runs.len(), 2);
        assert_eq!(read.summary.events, 3);
        let mut other = manifest();
        other["of"] = json!("another");
        assert_ne!(parsed(&other).unwrap().digest, read.digest);
        let empty = json!({ "version": 1, "bucket": "ledger", "runs": [],
            "summary": { "events": 0, "created": 0, "removed": 0, "bytes": 0, "byMonth": {} } });
        assert_eq!(parsed(&empty).unwrap().runs, []);
    }

    #[test]
    fn a_finished_plan_of_a_job_is_one_too() {
        let mut own = manifest();
        own["jobId"] = json!("20240501-1a2b3c4d-1");
        own["ranges"] = json!([]);
        own["runs"][0]["name"] = json!("jobs/20240501-1a2b3c4d-1/runs/000001-000000.parquet");
        let read = parsed(&own).unwrap();
        assert_eq!(read.runs[0].name, "runs/000001-000000.parquet");
        own["ranges"] = json!([{ "after": "k" }]);
        let error = parsed(&own).unwrap_err();
        assert!(error.contains("had not listed all"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let changed = |pointer: &str, value: Value| {
            let mut manifest = manifest();
            *manifest.pointer_mut(pointer).unwrap() = value;
            manifest
        };
        for (manifest, parts) in [
            (json!("plan"), ["no manifest", "invalid type"]),
            (json!({ "runs": [] }), ["no manifest", "version"]),
            (
                changed("/version", json!(2)),
                ["version: found 2", "allowed is 1"],
            ),
            (
                changed("/bucket", json!("other")),
                ["\"other\"", "\"ledger\""],
            ),
            (changed("/runs/0/rows", json!(-1)), ["-1", "u64"]),
            (
                changed("/runs/0/rows", json!(5)),
                ["summary.events is 3", "6 rows"],
            ),
            (
                changed("/runs/0/rows", json!(u64::MAX)),
                ["runs[1]", "sum of rows"],
            ),
            (
                changed("/runs/1/rows", json!(0)),
                ["runs[1]", "no rows: leave it out"],
            ),
            (
                changed("/runs/1/name", json!("runs/0.parquet")),
                ["runs[1]", "twice"],
            ),
            (
                changed("/runs/1/name", json!("../0.parquet")),
                ["../0.parquet", "below"],
            ),
            (
                changed("/runs/1/name", json!("/etc/passwd")),
                ["/etc/passwd", "below"],
            ),
            (
                changed("/runs/1/name", json!("s3://b/0")),
                ["s3://b/0", "below"],
            ),
            (
                changed("/runs/0/first", position("zz")),
                ["runs[0]", "behind its last"],
            ),
            (
                changed("/summary/removed", json!(2)),
                ["2 created and 2 removed", "3 events"],
            ),
            (
                changed("/runs/0/last/rank", json!("x")),
                ["invalid type", "u64"],
            ),
        ] {
            let error = parsed(&manifest).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in: {error}");
            }
        }
    }
}
