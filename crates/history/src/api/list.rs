//! The jobs there are, a page at a time, the newest first.

use serde_json::{Value, json};

use crate::api::answer::JobAnswer;
use crate::job::error::{JobError, JobStoreError};
use crate::job::place::Place;
use crate::job::ports::Ports;
use crate::job::state::Job;

/// Jobs of a page, unless asked otherwise, and at most.
pub const PAGE: usize = 50;
/// See [`PAGE`].
pub const MOST_OF_PAGE: usize = 100;

/// Bytes after which a page ends early: Lambda answers with 6 MB at most, and jobs from before there
/// were bounds may be as long as an item of the table, 400 KB.
const MOST_BYTES: usize = 1024 * 1024;

/// Jobs, and what is stored beside them that cannot be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// The jobs, the newest first.
    pub jobs: Vec<Job>,
    /// Why others could not be read.
    pub unreadable: Vec<JobStoreError>,
    /// Where the next page begins (behind it); nothing on the last one.
    pub next: Option<Place>,
}

impl Listed {
    /// The answer of `list`: each job as `status` shows it, what cannot be read, and what the next page is asked with.
    #[must_use]
    pub fn answer(&self) -> Value {
        let jobs: Vec<_> = self.jobs.iter().map(JobAnswer::from).collect();
        let unreadable: Vec<_> = self.unreadable.iter().map(ToString::to_string).collect();
        let mut answer = json!({ "jobs": jobs, "unreadable": unreadable });
        if let Some(next) = &self.next {
            answer["next"] = json!(next.to_string());
        }
        answer
    }
}

/// A page of at most `most` jobs behind `after`; fewer if they are long. A job that was started or
/// changed its phase in the last moment may be missing.
///
/// # Errors
/// The store's, unless it is about one job alone.
pub async fn list(ports: &Ports, after: Option<&Place>, most: usize) -> Result<Listed, JobError> {
    let places = ports.jobs.newest(after, most + 1).await?;
    let mut listed = Listed::default();
    let mut bytes = 0;
    for (index, place) in places.iter().enumerate() {
        if index == most || bytes > MOST_BYTES {
            listed.next = Some(places[index - 1].clone());
            break;
        }
        match ports.jobs.load(&place.job_id).await {
            Ok(None) => {} // forgotten meanwhile
            Ok(Some(job)) => {
                bytes += serde_json::to_vec(&JobAnswer::from(&job)).map_or(0, |json| json.len());
                listed.jobs.push(job);
            }
            Err(error @ JobStoreError::Unreadable { .. }) => {
                tracing::error!(%error, "a job is passed over");
                listed.unreadable.push(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(listed)
}
