//! What stands beside a stack, broken: the queue for replays, the schedule of the sweep, the keys.

use aws_sdk_sqs::types::QueueAttributeName as Name;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::KMS;
use e2e::{STACK, Stack, aws};
use serde_json::{Value, json};

use crate::{NAME, Patient, Told};

/// The queue for replays, and where it gives up what nobody takes.
const REPLAYS: &str = "e2e-doctor-replays.fifo";
const DEAD_REPLAYS: &str = "e2e-doctor-dead-replays.fifo";

/// What is there before the stack.
pub(crate) struct Beside {
    kms: ServiceClient,
    key: String,
    replay_url: String,
}

impl Beside {
    pub(crate) async fn make() -> Self {
        let kms = ServiceClient::new(KMS, &aws::load().await, sdk::connector());
        let first = Stack::connect(STACK).await.unwrap();
        let beside = Self {
            key: make_key(&kms).await,
            replay_url: make_replay_queue(&first).await,
            kms,
        };
        beside.put_policy(&account()).await;
        beside
    }

    /// What the stack is told of it.
    pub(crate) fn parameters(&self) -> [(&'static str, String); 2] {
        let replay = format!("arn:aws:sqs:eu-west-1:000000000000:{REPLAYS}");
        [("ReplayQueueArn", replay), ("KmsKeyArn", self.key.clone())]
    }

    /// Lets somebody, and S3, use the key.
    async fn put_policy(&self, principal: &Value) {
        let allow = |principal: &Value| {
            let all = ("kms:*", "*");
            json!({ "Effect": "Allow", "Principal": principal, "Action": all.0, "Resource": all.1 })
        };
        let s3 = allow(&json!({ "Service": "s3.amazonaws.com" }));
        let policy = json!({ "Statement": [allow(principal), s3] }).to_string();
        let body = json!({ "KeyId": self.key, "PolicyName": "default", "Policy": policy });
        let put = self.kms.call("PutKeyPolicy", body.to_string().into());
        put.await.unwrap();
    }

    /// The queue for replays is broken. It was there before the stack.
    pub(crate) async fn replays(&self, patient: &Patient) {
        let url = &self.replay_url;
        let sqs = &patient.stack.sqs;
        let set = |name: Name, value: &str| {
            let set = sqs.set_queue_attributes().queue_url(url);
            set.attributes(name, value).send()
        };
        for (name, value, mended, check) in [
            (
                Name::RedrivePolicy,
                "",
                redrive(),
                "replay-queue-dead-letters",
            ),
            (
                Name::MessageRetentionPeriod,
                "3600",
                "345600".to_owned(),
                "replay-queue-retention",
            ),
            (
                Name::VisibilityTimeout,
                "0",
                "30".to_owned(),
                "replay-queue-visibility",
            ),
        ] {
            set(name.clone(), value).await.unwrap();
            Told::by(&[]).only(&[(check, "warning")]);
            set(name, &mended).await.unwrap();
        }
        sqs.delete_queue().queue_url(url).send().await.unwrap();
        Told::by(&[]).only(&[("replay-queue", "wrong"), ("replay-queue-sends", "wrong")]);
        make_replay_queue(&patient.stack).await;
        Told::by(&[]).only(&[]);
    }

    /// The stack's key is broken, and queues have others.
    pub(crate) async fn keys(&self, patient: &Patient) {
        let (kms, key) = (&self.kms, self.key.as_str());
        let of_key = |operation: &'static str, key: &str| {
            kms.call(operation, json!({ "KeyId": key }).to_string().into())
        };
        of_key("DisableKey", key).await.unwrap();
        Told::by(&[]).only(&[("key", "wrong")]);
        of_key("EnableKey", key).await.unwrap();

        self.put_policy(&json!({ "AWS": "arn:aws:iam::999999999999:root" }))
            .await;
        Told::by(&[]).only(&[("key", "wrong")]);
        self.put_policy(&account()).await;
        Told::by(&[]).only(&[]);

        let other = make_key(kms).await;
        for (output, check) in [
            ("QueueUrl", "queue-key"),
            ("OnFailureQueueUrl", "on-failure-key"),
        ] {
            let name = Name::KmsMasterKeyId;
            patient.set(output, &[(name.clone(), &other)]).await;
            let told = Told::by(&[]);
            told.only(&[(check, "warning")]);
            let found = told.of(check)["found"].as_str().unwrap();
            assert!(found.contains("not KmsKeyArn"), "{found}");
            patient.set(output, &[(name, key)]).await;
        }
        Told::by(&[]).only(&[]);
    }
}

/// Where the queue for replays gives up what nobody takes: what is asked is whether it does.
fn redrive() -> String {
    let target = format!("arn:aws:sqs:eu-west-1:000000000000:{DEAD_REPLAYS}");
    json!({ "deadLetterTargetArn": target, "maxReceiveCount": 5 }).to_string()
}

/// A queue for replays as it should be; its URL.
async fn make_replay_queue(stack: &Stack) -> String {
    let queue = |name: &str| {
        let create = stack.sqs.create_queue().queue_name(name);
        let create = create.attributes(Name::FifoQueue, "true");
        let create = create.attributes(Name::DeduplicationScope, "messageGroup");
        create.attributes(Name::FifoThroughputLimit, "perMessageGroupId")
    };
    queue(DEAD_REPLAYS).send().await.unwrap();
    let create = queue(REPLAYS).attributes(Name::RedrivePolicy, redrive());
    create.send().await.unwrap().queue_url.unwrap()
}

/// The schedule of the sweep is broken.
pub(crate) fn schedule() {
    let at = std::env::var("AWS_ENDPOINT_URL").unwrap();
    let at = format!("{at}/schedules/{NAME}-sweep");
    // Nothing is proved by it here, but whose request it is.
    let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/scheduler/aws4_request, SignedHeaders=host, Signature=0";
    let mut found = ureq::get(&at)
        .header("authorization", signed)
        .call()
        .unwrap();
    let found: Value = serde_json::from_str(&found.body_mut().read_to_string().unwrap()).unwrap();
    let put = |change: &dyn Fn(&mut Value)| {
        let mut body = found.clone();
        change(&mut body);
        let put = ureq::put(&at).header("authorization", signed);
        put.send(body.to_string()).unwrap();
    };
    put(&|body| body["State"] = json!("DISABLED"));
    Told::by(&[]).only(&[("schedule", "wrong")]);
    put(&|body| body["ScheduleExpression"] = json!("rate(1 hour)"));
    Told::by(&[]).only(&[("schedule", "warning")]);
    put(&|_| {});
    Told::by(&[]).only(&[]);
    let delete = ureq::delete(&at).header("authorization", signed);
    delete.call().unwrap();
    Told::by(&[]).only(&[("schedule", "wrong")]);
    let made = ureq::post(&at).header("authorization", signed);
    made.send(found.to_string()).unwrap();
    Told::by(&[]).only(&[]);
}

/// A key of KMS; its ARN.
async fn make_key(kms: &ServiceClient) -> String {
    let made = kms.call("CreateKey", "{}".into()).await.unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn account() -> Value {
    json!({ "AWS": "arn:aws:iam::000000000000:root" })
}
