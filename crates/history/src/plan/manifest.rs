//! Which runs a plan has, and what is still to be listed.

use std::collections::BTreeMap;

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::PlannedRef;
use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, JobId};
use crate::plan::doubts::{Ambiguous, Doubts};
use crate::plan::position::Position;
use crate::plan::store::{PlanError, PlanStore, Tag};

/// The version of this schema.
const VERSION: u32 = 1;

/// The state of a plan; each change is a new object (a generation).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Of this schema: 1.
    pub version: u32,
    /// Whose plan.
    #[serde(deserialize_with = "JobId::deserialize_stored")]
    pub job_id: JobId,
    /// Which bucket was listed.
    pub bucket: String,
    /// Counts the commits.
    pub generation: u64,
    /// What is still to be listed; empty when the plan is complete.
    pub ranges: Vec<Range>,
    /// What the pages so far have proven of the way the server lists.
    #[serde(default)]
    pub dialect: Dialect,
    /// What is still to be read of a plan from elsewhere, of a job that sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopting: Option<Adopting>,
    /// Keys whose order depends on what no page has proven yet.
    #[serde(default, skip_serializing_if = "Doubts::is_none")]
    pub doubts: Doubts,
    /// The sorted runs.
    pub runs: Vec<Run>,
    /// Pages read.
    pub pages: u64,
    /// Object versions listed, before the filter.
    pub listed: u64,
    /// What will be sent.
    pub summary: Summary,
}

/// How far a plan from elsewhere has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopting {
    /// Its runs that have been read whole.
    pub runs: usize,
    /// Rows that have been read of the next one.
    pub rows: u64,
    /// The last of these rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
    /// Which content that run has, as far as its store can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What all rows read so far are, chosen or not.
    pub read: Summary,
    /// With `currentOnly`: runs in the order of keys, until the newest version of each key is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_key: Vec<Run>,
    /// The last row of these that has been decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Position>,
}

/// One sorted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// In the plan store.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// CRC-32 of its footer, which holds those of its row groups; none of a run that was made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer_crc32: Option<u32>,
    /// The first row's place.
    pub first: Position,
    /// The last row's place.
    pub last: Position,
    /// Rows up to here are in other runs by now, and are not read of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
}

impl Run {
    /// No row that is read of it is before this.
    #[must_use]
    pub fn begin(&self) -> &Position {
        self.after
            .as_ref()
            .map_or(&self.first, |after| after.max(&self.first))
    }
}

/// The keys that are still to be listed: after one, up to and including another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The last key whose versions are all in runs; `None` from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The last key of the range; `None` to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Range {
    /// Where its listing begins.
    #[must_use]
    pub fn begin(&self) -> Option<Marker> {
        self.after.clone().map(|key| Marker {
            key,
            version_id: None,
        })
    }
}

/// What a plan holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Events.
    pub events: u64,
    /// Of these, object versions.
    pub created: u64,
    /// Of these, delete markers.
    pub removed: u64,
    /// Sum of the object versions' sizes, bytes.
    pub bytes: u64,
    /// Events by month of effective time, `2024-05`.
    pub by_month: BTreeMap<String, u64>,
    /// The earliest effective time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Keys whose order the server's listing does not prove.
    #[serde(default, skip_serializing_if = "Ambiguous::is_none")]
    pub ambiguous: Ambiguous,
}

impl Summary {
    /// Counts rows in.
    pub fn add_all(&mut self, rows: &[PlannedRef<'_>]) {
        for row in rows {
            self.events += 1;
            if row.version.is_delete_marker {
                self.removed += 1;
            } else {
                self.created += 1;
            }
            // A server may say any size.
            self.bytes = self.bytes.saturating_add(row.version.size.unwrap_or(0));
        }
        // Rows are sorted by effective time: a month is a stretch of them.
        for stretch in rows.chunk_by(|a, b| a.effective_time == b.effective_time) {
            let time = stretch[0].effective_time;
            *self.by_month.entry(time.month()).or_default() += stretch.len() as u64;
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Counts in what another part of the plan holds.
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.created += other.created;
        self.removed += other.removed;
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (month, events) in other.by_month {
            *self.by_month.entry(month).or_default() += events;
        }
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

impl Manifest {
    /// The manifest of a scan that has not begun.
    #[must_use]
    pub fn new(job_id: JobId, bucket: &str) -> Self {
        Self {
            version: VERSION,
            job_id,
            bucket: bucket.to_owned(),
            generation: 0,
            ranges: vec![Range::default()],
            dialect: Dialect::default(),
            adopting: None,
            doubts: Doubts::default(),
            runs: Vec::new(),
            pages: 0,
            listed: 0,
            summary: Summary::default(),
        }
    }

    /// The manifest of a job that sends a plan from elsewhere, of which nothing has been read.
    #[must_use]
    pub fn adopting(job_id: JobId, bucket: &str) -> Self {
        Self {
            ranges: Vec::new(),
            adopting: Some(Adopting::default()),
            ..Self::new(job_id, bucket)
        }
    }

    /// Whether everything has been listed, or read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ranges.is_empty() && self.adopting.is_none()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read or is of another schema.
    pub async fn load(store: &dyn PlanStore, name: &str) -> Result<Self, PlanError> {
        let bytes = store.get(name, None).await?;
        let damaged = |reason: String| PlanError::damaged(name, reason);
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if manifest.version != VERSION {
            return Err(damaged(format!(
                "manifest version {}, this program reads {VERSION}",
                manifest.version
            )));
        }
        Ok(manifest)
    }

    /// Writes the manifest as a new object and returns its name. `epoch` keeps a fenced segment
    /// from writing over its successor's.
    ///
    /// # Errors
    /// [`PlanError`] from the store.
    pub async fn save(&self, store: &dyn PlanStore, epoch: Epoch) -> Result<String, PlanError> {
        let name = format!(
            "jobs/{}/manifest-{:06}-{epoch}.json",
            self.job_id, self.generation
        );
        let json = serde_json::to_vec_pretty(self).map_err(|e| PlanError::Commit(e.to_string()))?;
        store.put(&name, Bytes::from(json)).await?;
        Ok(name)
    }
}
