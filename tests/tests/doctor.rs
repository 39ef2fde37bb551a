//! `s3-sqs-bridge doctor`: each thing is broken on a deployed stack, found, and mended.

#[path = "doctor/beside.rs"]
mod beside;

use std::collections::BTreeMap;
use std::process::Command;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use aws_sdk_s3::types::{
    BucketVersioningStatus, NotificationConfiguration, VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::service::CLOUDWATCH;
use bridge_core::clock::{Clock as _, SystemClock};
use e2e::history::replayed::program;
use e2e::{Stack, aws};
use serde_json::{Value, json};

use crate::beside::Beside;

const NAME: &str = "e2e-doctor";

/// What doctor tells.
struct Told {
    code: Option<i32>,
    report: Value,
}

impl Told {
    fn by(more: &[&str]) -> Self {
        let words = ["doctor", "--stack", NAME, "--json"];
        let output = Command::new(program().unwrap())
            .args([&words[..], more].concat())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout);
        Self {
            code: output.status.code(),
            report: report.unwrap_or_else(|error| panic!("{error}: {said}")),
        }
    }

    /// What of a check was found.
    fn of(&self, check: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let found = findings.iter().find(|found| found["check"] == check);
        found.unwrap_or_else(|| panic!("{check} is not in {:#}", self.report))
    }

    /// Checks that are not well.
    fn bad(&self) -> BTreeMap<&str, &str> {
        let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
        let findings = self.report["findings"].as_array().unwrap();
        let bad = findings.iter().filter(|found| found["level"] != "ok");
        let bad = bad.map(|found| {
            assert!(!text(&found["found"]).is_empty(), "{found}");
            (
                found["check"].as_str().unwrap(),
                found["level"].as_str().unwrap(),
            )
        });
        bad.collect()
    }

    /// Only this is not well, besides what was not tried. Functions that were made to fail are counted as failures.
    #[track_caller]
    fn only(&self, expected: &[(&str, &str)]) {
        let mut bad = self.bad();
        let are_failures_expected = expected.iter().any(|(check, _)| *check == "failures");
        bad.retain(|check, level| {
            *level != "unchecked" && (*check != "failures" || are_failures_expected)
        });
        assert_eq!(bad, expected.iter().copied().collect(), "{:#}", self.report);
        let is_wrong = expected.iter().any(|(_, level)| *level == "wrong");
        assert_eq!(self.code, Some(i32::from(is_wrong)));
    }
}

/// The stack, to be broken.
struct Patient {
    stack: Stack,
}

impl Patient {
    async fn set(&self, output: &str, attributes: &[(Name, &str)]) {
        let url = self.stack.output(output);
        let mut set = self.stack.sqs.set_queue_attributes().queue_url(url);
        for (name, value) in attributes {
            set = set.attributes(name.clone(), *value);
        }
        set.send().await.unwrap();
    }

    async fn attribute(&self, output: &str, name: Name) -> String {
        let url = self.stack.output(output);
        let ask = self.stack.sqs.get_queue_attributes().queue_url(url);
        let found = ask.attribute_names(name.clone()).send().await.unwrap();
        found.attributes().unwrap()[&name].clone()
    }

    async fn versioning(&self, status: BucketVersioningStatus) {
        let put = self.stack.s3.put_bucket_versioning();
        let put = put.bucket(self.stack.output("BucketName"));
        let configuration = VersioningConfiguration::builder().status(status).build();
        put.versioning_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    async fn notify(&self, configuration: NotificationConfiguration) {
        let put = self.stack.s3.put_bucket_notification_configuration();
        let put = put.bucket(self.stack.output("BucketName"));
        put.notification_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    async fn mapping(&self, function: &str, is_enabled: bool) {
        let list = self.stack.lambda.list_event_source_mappings();
        let found = list.function_name(self.stack.output(function));
        let found = found.send().await.unwrap();
        let id = found.event_source_mappings()[0].uuid().unwrap().to_owned();
        let update = self.stack.lambda.update_event_source_mapping().uuid(id);
        update.enabled(is_enabled).send().await.unwrap();
    }

    /// With this variable of a function only this is found; then it is as before.
    async fn variable(
        &self,
        (function, name, value): (&str, &str, &str),
        more: &[&str],
        expected: &[(&str, &str)],
    ) -> Told {
        let ask = self.stack.lambda.get_function_configuration();
        let found = ask
            .function_name(self.stack.output(function))
            .send()
            .await
            .unwrap();
        let before = found.environment().and_then(|e| e.variables()?.get(name));
        let before = before.cloned().unwrap_or_default();
        self.stack
            .set_variable(function, name, value)
            .await
            .unwrap();
        let told = Told::by(more);
        told.only(expected);
        self.stack
            .set_variable(function, name, &before)
            .await
            .unwrap();
        told
    }
}

/// What of the bucket is broken.
async fn bucket(patient: &Patient) {
    let stack = &patient.stack;
    patient.versioning(BucketVersioningStatus::Suspended).await;
    Told::by(&[]).only(&[("versioning", "wrong")]);
    patient.versioning(BucketVersioningStatus::Enabled).await;

    let ask = stack.s3.get_bucket_notification_configuration();
    let found = ask.bucket(stack.output("BucketName")).send().await.unwrap();
    patient
        .notify(NotificationConfiguration::builder().build())
        .await;
    Told::by(&[]).only(&[("notifications", "wrong")]);
    let queues = Some(found.queue_configurations().to_vec());
    let mended = NotificationConfiguration::builder().set_queue_configurations(queues);
    patient.notify(mended.build()).await;
}

/// What of the queues is broken.
async fn queues(patient: &Patient) {
    let stack = &patient.stack;
    let (queue, buffer) = ("QueueUrl", "BufferQueueUrl");
    for (output, name, value, check, level) in [
        (
            queue,
            Name::RedrivePolicy,
            "",
            "queue-dead-letters",
            "wrong",
        ),
        (
            queue,
            Name::VisibilityTimeout,
            "5",
            "queue-visibility",
            "warning",
        ),
        (
            queue,
            Name::MessageRetentionPeriod,
            "3600",
            "queue-retention",
            "warning",
        ),
        (
            buffer,
            Name::VisibilityTimeout,
            "10",
            "buffer-visibility",
            "wrong",
        ),
        (
            buffer,
            Name::RedrivePolicy,
            "",
            "buffer-dead-letters",
            "wrong",
        ),
        (buffer, Name::Policy, "", "entrance", "wrong"),
    ] {
        let before = patient.attribute(output, name.clone()).await;
        patient.set(output, &[(name.clone(), value)]).await;
        Told::by(&[]).only(&[(check, level)]);
        patient.set(output, &[(name, &before)]).await;
    }
    let by = |scope, limit| {
        [
            (Name::DeduplicationScope, scope),
            (Name::FifoThroughputLimit, limit),
        ]
    };
    patient.set(queue, &by("queue", "perQueue")).await;
    Told::by(&[]).only(&[("queue-throughput", "warning")]);
    patient
        .set(queue, &by("messageGroup", "perMessageGroupId"))
        .await;

    let on_failure = stack.output("OnFailureQueueUrl");
    let send = stack.sqs.send_message().queue_url(on_failure);
    send.message_body("{}").send().await.unwrap();
    Told::by(&[]).only(&[("on-failure", "warning")]);
    let purge = stack.sqs.purge_queue().queue_url(on_failure);
    purge.send().await.unwrap();
}

/// What of the functions' setup is broken.
async fn functions(patient: &Patient) {
    let stack = &patient.stack;
    for (function, check, level) in [
        ("RealtimeFunction", "buffer-mapping", "wrong"),
        ("ReseedFunction", "events-mapping", "warning"),
    ] {
        patient.mapping(function, false).await;
        Told::by(&[]).only(&[(check, level)]);
        patient.mapping(function, true).await;
    }

    let realtime = stack.output("RealtimeFunction");
    let delete = stack.lambda.delete_function_event_invoke_config();
    let delete = delete.function_name(realtime).qualifier("$LATEST");
    delete.send().await.unwrap();
    Told::by(&[]).only(&[("destination", "wrong")]);
    let on_failure = OnFailure::builder().destination(stack.output("OnFailureQueueArn"));
    let destination = DestinationConfig::builder().on_failure(on_failure.build());
    let put = stack.lambda.put_function_event_invoke_config();
    let put = put.function_name(realtime).qualifier("$LATEST");
    let put = put.maximum_retry_attempts(2);
    let put = put.destination_config(destination.build());
    put.send().await.unwrap();

    let health = [("realtime-health", "wrong"), ("variables", "wrong")];
    let order = ("RealtimeFunction", "ORDER", "none");
    let told = patient.variable(order, &[], &health).await;
    let found = told.of("realtime-health")["found"].as_str().unwrap();
    assert!(found.contains("BadConfiguration: ORDER"), "{found}");
    let missing = format!("{}-missing.fifo", stack.output("QueueUrl"));
    let queue = ("RealtimeFunction", "QUEUE_URL", missing.as_str());
    patient.variable(queue, &[], &health).await;
    let plans = ("ReseedFunction", "PLAN_BUCKET", "e2e-doctor-no-such-bucket");
    let written = [("plans", "wrong"), ("variables", "wrong")];
    patient.variable(plans, &["--write"], &written).await;
}

/// What realtime would have counted: the emulator makes no metrics of log lines.
async fn hour(patient: &Patient) {
    let realtime = patient.stack.output("RealtimeFunction");
    let cloudwatch = ServiceClient::new(CLOUDWATCH, &aws::load().await, sdk::connector());
    let at = SystemClock.now().0 / 1_000 - 120;
    let datum = |name: &str, value: f64| {
        let dimension = json!({ "Name": "FunctionName", "Value": realtime });
        json!({ "MetricName": name, "Dimensions": [dimension], "Value": value, "Timestamp": at })
    };
    let data = [datum("LagMs", 70.0), datum("EventsFailed", 3.0)];
    let put = json!({ "Namespace": "S3SqsBridge", "MetricData": data });
    let put = cloudwatch.call("PutMetricData", put.to_string().into());
    put.await.unwrap();
    let told = Told::by(&[]);
    told.only(&[("failures", "warning")]);
    let found = told.of("failures")["found"].as_str().unwrap();
    assert!(found.contains("EventsFailed of realtime"), "{found}");
    let found = told.of("lag")["found"].as_str().unwrap();
    assert!(found.contains("in 70 ms"), "{found}");
}

/// An object is followed, and nothing of it stays.
async fn canary(patient: &Patient) {
    let stack = &patient.stack;
    let told = Told::by(&["--canary", "--canary-queue-url", stack.output("QueueUrl")]);
    let level = told.of("canary")["level"].as_str().unwrap();
    assert!(["ok", "warning"].contains(&level), "{}", told.of("canary"));
    let list = stack.s3.list_object_versions();
    let left = list
        .bucket(stack.output("BucketName"))
        .send()
        .await
        .unwrap();
    let is_empty = left.versions().is_empty() && left.delete_markers().is_empty();
    assert!(is_empty, "{left:?}");
}

/// A program that this processor does not run; nothing here mends it.
async fn program_of_another_processor(patient: &Patient) {
    let update = patient.stack.lambda.update_function_code();
    let update = update.function_name(patient.stack.output("RealtimeFunction"));
    update.zip_file(Blob::new(unfit())).send().await.unwrap();
    let told = Told::by(&[]);
    told.only(&[("failures", "warning"), ("realtime-health", "wrong")]);
    let advice = told.of("realtime-health")["do"].as_str().unwrap();
    assert!(advice.contains("another processor"), "{advice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_break_is_found_by_its_name_and_gone_once_it_is_mended() {
    let beside = Beside::make().await;
    let parameters = beside.parameters();
    let mut parameters = parameters
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()))
        .to_vec();
    parameters.push(("Ingestion", "buffered"));
    let stack = Stack::create(NAME, &parameters).await;
    let patient = Patient {
        stack: stack.unwrap(),
    };
    let told = Told::by(&["--write"]);
    told.only(&[]);
    assert_eq!(told.of("plans")["level"], "ok", "{:#}", told.report);
    assert_eq!(Told::by(&[]).of("plans")["level"], "unchecked");
    bucket(&patient).await;
    queues(&patient).await;
    beside.replays(&patient).await;
    beside::schedule();
    beside.keys(&patient).await;
    functions(&patient).await;
    Told::by(&[]).only(&[]);
    hour(&patient).await;
    canary(&patient).await;
    program_of_another_processor(&patient).await;
}

/// A package whose program is none.
fn unfit() -> Vec<u8> {
    let script = "import io, sys, zipfile\n\
                  packed = io.BytesIO()\n\
                  with zipfile.ZipFile(packed, 'w') as package:\n    \
                      entry = zipfile.ZipInfo('bootstrap')\n    \
                      entry.external_attr = 0o755 << 16\n    \
                      package.writestr(entry, 'no program')\n\
                  sys.stdout.buffer.write(packed.getvalue())\n";
    let output = Command::new("python3").args(["-c", script]).output();
    output.unwrap().stdout
}
