//! What the job table answers, as `DynamoDB` would write it.

use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bridge_aws::jobs::DynamoJobs;
use bridge_aws::sdk;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::store::JobStore as _;
use serde_json::{Value, json};

/// A table of jobs that were all started in one moment, and none of which can be read.
#[derive(Debug, Clone)]
struct Table;

/// In the order of the index, which is none for jobs of one moment.
const IDS: [&str; 5] = ["x-2", "x-5", "x-1", "x-4", "x-3"];

const MOMENT: &str = "2024-05-01T12:00:00.000Z";

fn key(id: &str) -> Value {
    json!({ "jobId": { "S": id }, "phase": { "S": "done" }, "createdAt": { "S": MOMENT } })
}

impl Table {
    fn answer(target: &str, asked: &Value) -> Value {
        if target.ends_with(".GetItem") {
            let mut item = key(asked["Key"]["jobId"]["S"].as_str().unwrap());
            item["phase"]["S"] = json!("resting");
            return json!({ "Item": item });
        }
        assert!(target.ends_with(".Query"), "{target}");
        if asked["ExpressionAttributeValues"][":phase"]["S"] != "done" {
            return json!({ "Items": [] });
        }
        let after = asked["ExclusiveStartKey"]["jobId"]["S"].as_str();
        let begin = after.map_or(0, |after| {
            IDS.iter().position(|id| *id == after).unwrap() + 1
        });
        let limit = usize::try_from(asked["Limit"].as_u64().unwrap()).unwrap();
        let end = IDS.len().min(begin + limit);
        let items: Vec<_> = IDS[begin..end].iter().copied().map(key).collect();
        let mut page = json!({ "Items": items });
        if end < IDS.len() {
            page["LastEvaluatedKey"] = key(IDS[end - 1]);
        }
        page
    }

    async fn config() -> SdkConfig {
        let connector = SharedHttpConnector::new(Self);
        sdk::defaults(http_client_fn(move |_, _| connector.clone()))
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .load()
            .await
    }
}

impl HttpConnector for Table {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        let asked = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let answer = Self::answer(target, &asked).to_string();
        let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer));
        HttpConnectorFuture::ready(Ok(response))
    }
}

async fn jobs() -> DynamoJobs {
    DynamoJobs::new(sdk::dynamodb(&Table::config().await), "jobs".to_owned())
}

#[tokio::test]
async fn jobs_of_one_moment_are_told_by_their_ids_however_the_index_has_them() {
    let jobs = jobs().await;
    let (mut told, mut after) = (Vec::new(), None);
    loop {
        let page = jobs.newest(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        told.extend(page.into_iter().map(|place| place.job_id.to_string()));
    }
    assert_eq!(told, ["x-5", "x-4", "x-3", "x-2", "x-1"]);
}

#[tokio::test]
async fn an_item_that_is_no_job_is_no_fault_of_the_table() {
    let error = jobs()
        .await
        .load(&"x-1".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, JobStoreError::Unreadable { job_id, .. } if job_id.as_str() == "x-1"),
        "{error}"
    );
}
