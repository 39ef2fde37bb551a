//! A plan that was made elsewhere lies in a bucket of its own, and is sent by a stack that may read it (docs/PLANS.md).

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use e2e::{Received, Stack};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_mins(2);

/// Where somebody else puts plans.
const PLANS: &str = "plans-from-elsewhere";

/// Copies a finished plan of the stack as another maker would have written it.
async fn copy(stack: &Stack, manifest: &str) -> anyhow::Result<()> {
    let own = stack.output("PlanBucketName");
    let read = async |key: &str| {
        let object = stack.s3.get_object().bucket(own).key(key).send().await?;
        anyhow::Ok(object.body.collect().await?.into_bytes())
    };
    let write = async |key: String, bytes: bytes::Bytes| {
        let put = stack
            .s3
            .put_object()
            .bucket(PLANS)
            .key(format!("ledger/{key}"));
        put.body(ByteStream::from(bytes)).send().await?;
        anyhow::Ok(())
    };
    let manifest: Value = serde_json::from_slice(&read(manifest).await?)?;
    let mut runs = manifest["runs"].clone();
    for (number, run) in runs.as_array_mut().into_iter().flatten().enumerate() {
        let name = format!("runs/{number:05}.parquet");
        let file = read(run["name"].as_str().unwrap_or_default()).await?;
        write(name.clone(), file).await?;
        run["name"] = json!(name);
    }
    let manifest = json!({
        "version": 1, "bucket": manifest["bucket"], "madeBy": "a test", "runs": runs,
        "summary": manifest["summary"],
    });
    write("manifest.json".to_owned(), manifest.to_string().into()).await
}

#[tokio::test]
async fn a_plan_from_another_bucket_is_sent_in_order_and_whole() {
    let stack = Stack::create("plans", &[("ForeignPlans", &format!("{PLANS}/ledger"))])
        .await
        .unwrap();
    let live = stack.output("QueueUrl");
    let mut written = BTreeMap::<String, Vec<String>>::new();
    for round in 0..3 {
        for number in 0..40 {
            let key = format!("k/{number}");
            let version = stack.put(&key, &round.to_string()).await.unwrap();
            written.entry(key).or_default().push(version);
        }
    }
    let marker = stack.delete("k/0").await.unwrap();
    written.entry("k/0".to_owned()).or_default().push(marker);
    let all = |_: &Received| true;
    stack.receive(live, 121, TIMEOUT, all).await.unwrap();
    let dry = stack.reseed(json!({ "dryRun": true })).await.unwrap();
    let dry = stack
        .wait_for(dry["jobId"].as_str().unwrap(), "done", TIMEOUT)
        .await
        .unwrap();
    e2e::history::create_bucket(&stack.s3, PLANS).await.unwrap();
    copy(&stack, dry["manifest"].as_str().unwrap())
        .await
        .unwrap();

    // What was written since is not in the plan.
    stack.put("k/later", "1").await.unwrap();
    stack.receive(live, 1, TIMEOUT, all).await.unwrap();
    let uri = format!("s3://{PLANS}/ledger/manifest.json");
    let job = stack.reseed(json!({ "plan": uri })).await.unwrap();
    assert_eq!(job["options"]["plan"]["uri"], uri, "{job}");
    let job = job["jobId"].as_str().unwrap();
    let sent = stack.receive(live, 121, TIMEOUT, all).await.unwrap();
    let done = stack.wait_for(job, "done", TIMEOUT).await.unwrap();
    assert_eq!(done["checkpoint"]["sequence"], 121, "{done}");
    assert_eq!(done["counts"]["pages"], 0, "the bucket was listed");
    let mut sequences: Vec<_> = sent.iter().map(Received::sequence).collect();
    let mut arrived = BTreeMap::<String, Vec<String>>::new();
    for event in &sent {
        let versions = arrived.entry(event.text("key").to_owned()).or_default();
        versions.push(event.text("versionId").to_owned());
    }
    assert_eq!(arrived, written);
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=121).collect::<Vec<_>>());

    // The present state, found in the plan.
    let input = json!({ "plan": uri, "currentOnly": true });
    let job = stack.reseed(input).await.unwrap();
    stack
        .wait_for(job["jobId"].as_str().unwrap(), "done", TIMEOUT)
        .await
        .unwrap();
    let present = stack.receive(live, 39, TIMEOUT, all).await.unwrap();
    assert!(present.iter().all(|event| event.body["isLatest"] == true));

    let missing = json!({ "plan": format!("s3://{PLANS}/ledger/none.json") });
    let error = stack.reseed(missing).await.unwrap_err().to_string();
    for part in ["plan", "ledger/none.json", "ForeignPlans"] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    stack.remove().await.unwrap();
}
