//! Port `JobStore`: one `DynamoDB` item a job, every write conditional on epoch and revision; an index of
//! the jobs' keys by phase, the newest first (docs/decisions/0020).

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::phase::Phase;
use bridge_history::job::place;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Revision};
use bridge_history::job::store::JobStore;
use bridge_history::job::stored::StoredJob;

use crate::request_error::RequestError;

/// The table's partition key.
const KEY: &str = "jobId";

/// The table's index: `phase`, then `createdAt`, keys only. An item has both, whichever version of
/// this program wrote it.
const INDEX: &str = "phase-createdAt";

type Item = HashMap<String, AttributeValue>;

/// A table of jobs.
#[derive(Debug, Clone)]
pub struct DynamoJobs {
    client: Client,
    table: String,
}

impl DynamoJobs {
    /// Jobs in `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn error(&self, doing: &str, fault: &RequestError) -> JobStoreError {
        JobStoreError::Store {
            reason: format!("{doing} table {}: {fault}", self.table),
            kind: fault.kind,
        }
    }

    fn write_error(&self, job: &Job, error: &SdkError<PutItemError>) -> JobStoreError {
        let failed_condition = error
            .as_service_error()
            .is_some_and(PutItemError::is_conditional_check_failed_exception);
        if failed_condition {
            return JobStoreError::Conflict {
                job_id: job.job_id.clone(),
            };
        }
        self.error("writing to", &RequestError::of(error))
    }

    fn item(&self, job: &Job) -> Result<Item, JobStoreError> {
        serde_dynamo::to_item(StoredJob::from(job)).map_err(|e| JobStoreError::Store {
            reason: format!("writing to table {}: {e}", self.table),
            kind: FailureKind::Permanent,
        })
    }
}

/// Reads an item.
pub(crate) fn read(item: Item) -> Result<Job, JobStoreError> {
    let job_id = match item.get(KEY) {
        Some(AttributeValue::S(job_id)) => JobId::stored(job_id.clone()),
        _ => JobId::stored(String::new()), // a table's key is never missing
    };
    let stored: StoredJob =
        serde_dynamo::from_item(item).map_err(|e| JobStoreError::Unreadable {
            job_id,
            reason: e.to_string(),
        })?;
    Ok(stored.into())
}

#[async_trait]
impl JobStore for DynamoJobs {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(self.item(job)?))
            .condition_expression("attribute_not_exists(jobId)")
            .send()
            .await
            .map(|_| ())
            .map_err(|e| self.write_error(job, &e))
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(KEY, AttributeValue::S(job_id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| self.error("reading", &RequestError::of(&e)))?;
        answer.item.map(read).transpose()
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(self.item(job)?))
            .condition_expression("epoch = :epoch AND revision = :revision")
            .expression_attribute_values(":epoch", AttributeValue::N(expected.epoch.to_string()))
            .expression_attribute_values(
                ":revision",
                AttributeValue::N(expected.revision.to_string()),
            )
            .send()
            .await
            .map(|_| ())
            .map_err(|e| self.write_error(job, &e))
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        let mut active = Vec::new();
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_active()) {
            let mut start = None;
            loop {
                let page = self.of_phase(phase).set_exclusive_start_key(start);
                let page = page.send().await;
                let page =
                    page.map_err(|e| self.error("asking the index of", &RequestError::of(&e)))?;
                active.extend(page.items.unwrap_or_default().iter().filter_map(id));
                start = page.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        // One that went from one phase to the next meanwhile.
        active.sort_unstable();
        active.dedup();
        Ok(active)
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        let mut places = Vec::new();
        for phase in Phase::ALL {
            places.extend(self.newest_of(phase, after, most).await?);
        }
        Ok(place::first(places, after, most))
    }
}

impl DynamoJobs {
    /// Keys of the jobs in a phase, out of the index, which may be behind by a moment.
    fn of_phase(&self, phase: Phase) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("phase = :phase")
            .expression_attribute_values(":phase", AttributeValue::S(phase.to_string()))
    }

    /// The first places of one phase. Those of one moment come in any order: it reads on until the
    /// last one that is wanted is not of the moment of the last one read.
    async fn newest_of(
        &self,
        phase: Phase,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        let mut places = Vec::new();
        let mut start = None;
        loop {
            let mut query = self.of_phase(phase);
            if let Some(after) = after {
                let until = AttributeValue::S(after.created_at.to_string());
                query = query
                    .key_condition_expression("phase = :phase AND createdAt <= :until")
                    .expression_attribute_values(":until", until);
            }
            let page = query
                .scan_index_forward(false)
                .limit(i32::try_from(most + 1).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| self.error("asking the index of", &RequestError::of(&e)))?;
            let items = page.items.unwrap_or_default();
            places.extend(items.iter().filter_map(place));
            let wanted = place::first(places.clone(), after, most);
            let is_sure = wanted.len() == most
                && wanted.last().map(|p| p.created_at) > places.last().map(|p| p.created_at);
            start = page.last_evaluated_key;
            if is_sure || start.is_none() {
                return Ok(wanted);
            }
        }
    }
}

fn id(item: &Item) -> Option<JobId> {
    item.get(KEY)?.as_s().ok().cloned().map(JobId::stored)
}

fn place(item: &Item) -> Option<Place> {
    let created_at = item.get("createdAt")?.as_s().ok()?;
    Some(Place {
        created_at: Timestamp::parse(created_at).ok()?,
        job_id: id(item)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_is_no_job_is_named() {
        let item = Item::from([
            (KEY.to_owned(), AttributeValue::S("20240501-x-1".to_owned())),
            ("phase".to_owned(), AttributeValue::S("resting".to_owned())),
        ]);
        let error = read(item).unwrap_err();
        assert!(
            matches!(&error, JobStoreError::Unreadable { job_id, .. } if job_id.as_str() == "20240501-x-1"),
            "{error}"
        );
    }
}
