//! Port `JobStore`: one `DynamoDB` item a job, every write conditional on epoch and revision.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use bridge_core::job::{Job, JobStore, JobStoreError, Listed, Stamp};

use crate::sdk::Fault;

/// The table's partition key.
const KEY: &str = "jobId";

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

    fn unavailable(&self, doing: &str, reason: impl std::fmt::Display) -> JobStoreError {
        JobStoreError::Unavailable(format!("{doing} table {}: {reason}", self.table))
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
        self.unavailable("writing to", Fault::of(error))
    }

    fn item(&self, job: &Job) -> Result<Item, JobStoreError> {
        serde_dynamo::to_item(job).map_err(|e| self.unavailable("writing to", e))
    }
}

fn read(item: Item) -> Result<Job, JobStoreError> {
    let job_id = match item.get(KEY) {
        Some(AttributeValue::S(job_id)) => job_id.clone(),
        _ => String::new(), // a table's key is never missing
    };
    serde_dynamo::from_item(item).map_err(|e| JobStoreError::Unreadable {
        job_id,
        reason: e.to_string(),
    })
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

    async fn load(&self, job_id: &str) -> Result<Option<Job>, JobStoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(KEY, AttributeValue::S(job_id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| self.unavailable("reading", Fault::of(&e)))?;
        answer.item.map(read).transpose()
    }

    async fn replace(&self, job: &Job, expected: Stamp) -> Result<(), JobStoreError> {
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

    async fn list(&self) -> Result<Listed, JobStoreError> {
        let mut listed = Listed::default();
        let mut next = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .set_exclusive_start_key(next)
                .send()
                .await
                .map_err(|e| self.unavailable("listing", Fault::of(&e)))?;
            for item in page.items.unwrap_or_default() {
                listed.push(read(item))?;
            }
            next = page.last_evaluated_key;
            if next.is_none() {
                return Ok(listed);
            }
        }
    }
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
            matches!(&error, JobStoreError::Unreadable { job_id, .. } if job_id == "20240501-x-1"),
            "{error}"
        );
        let mut listed = Listed::default();
        listed.push(Err(error)).unwrap();
        assert_eq!((listed.jobs.len(), listed.unreadable.len()), (0, 1));
    }
}
