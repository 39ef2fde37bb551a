//! The real template keeps all rules; a broken copy for each is caught.

use infra::policy;
use infra::rules::check;
use infra::template::Template;
use serde_norway::Value;

fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_template_keeps_all_rules() {
    let template = Template::parse(&text()).unwrap();
    assert_eq!(check(&template), Vec::<String>::new());
}

#[test]
fn every_permission_is_one_that_somebody_decided_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies.golden.txt");
    let found = policy::lines(&Template::parse(&text()).unwrap()).join("\n") + "\n";
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        found, golden,
        "the functions' permissions are not those of infra/policies.golden.txt: \
         if the change is meant, write it there"
    );
}

/// Sets the value at a path (`Resources/Bucket/Properties/…`), or removes it.
fn break_at(path: &str, value: Option<Value>) -> Template {
    let mut template = Template::parse(&text()).unwrap();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let mut place = &mut template.0;
    for step in parent.split('/') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    let found = match name.parse::<usize>() {
        Ok(index) => place.get(index),
        Err(_) => place.get(name),
    };
    assert!(found.is_some(), "the template has nothing at {path}");
    match (value, place) {
        (Some(value), Value::Mapping(map)) => drop(map.insert(name.into(), value)),
        (Some(value), place) => place[name.parse::<usize>().unwrap()] = value,
        (None, Value::Mapping(map)) => drop(map.remove(name)),
        (None, Value::Sequence(list)) => drop(list.remove(name.parse().unwrap())),
        (None, other) => panic!("{other:?} has no parts"),
    }
    template
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, a line a broken copy")]
fn broken_copies_are_caught() {
    let set = |text: &str| Some(Value::from(text));
    let broken = [
        (
            "Bucket/Properties/VersioningConfiguration/Status",
            set("Suspended"),
            "Bucket versioning",
        ),
        (
            "Bucket/Properties/BucketEncryption",
            None,
            "Bucket is not encrypted",
        ),
        (
            "PlanBucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls",
            None,
            "BlockPublicAcls",
        ),
        ("BucketPolicy", None, "Bucket has no policy"),
        (
            "PlanBucketPolicy/Properties/PolicyDocument/Statement/0/Effect",
            set("Allow"),
            "PlanBucket has no policy",
        ),
        (
            "QueuePolicy/Properties/Queues/2",
            None,
            "OnFailureQueue has no policy",
        ),
        (
            "QueuePolicy/Properties/PolicyDocument/Statement/0/Condition",
            None,
            "Queue has no policy",
        ),
        (
            "Queue/Properties/SqsManagedSseEnabled",
            None,
            "Queue encryption",
        ),
        (
            "OnFailureQueue/Properties/MessageRetentionPeriod",
            None,
            "OnFailureQueue retention",
        ),
        (
            "Queue/Properties/FifoThroughputLimit",
            set("perQueue"),
            "perMessageGroupId",
        ),
        (
            "Queue/Properties/RedrivePolicy",
            None,
            "no dead-letter queue",
        ),
        (
            "DeadLetterQueue/Properties/FifoQueue",
            None,
            "dead-letter queue's FifoQueue",
        ),
        (
            "RealtimeLogs/Properties/RetentionInDays",
            None,
            "Realtime has no log group",
        ),
        (
            "Realtime/Properties/EventInvokeConfig",
            None,
            "Realtime has no OnFailure",
        ),
        (
            "Realtime/Properties/Events/Notification/Properties/Events/1",
            None,
            "s3:ObjectRemoved",
        ),
        (
            "Reseed/Properties/RecursiveLoop",
            set("Terminate"),
            "RecursiveLoop",
        ),
        (
            "Reseed/Properties/Events/Sweep/Properties/Input",
            set("{}"),
            "sweep input",
        ),
        (
            "Reseed/Properties/Events/Sweep/Properties/ScheduleExpression",
            set("rate(1 hour)"),
            "Reseed sweep",
        ),
        (
            "Reseed/Properties/Events/Sweep/Properties/Name",
            None,
            "Reseed sweep name",
        ),
        (
            "CheckpointTable/Properties/TimeToLiveSpecification",
            None,
            "CheckpointTable TTL",
        ),
        (
            "CheckpointTable/Properties/PointInTimeRecoverySpecification",
            None,
            "recovery",
        ),
        (
            "CheckpointTable/Properties/BillingMode",
            set("PROVISIONED"),
            "billing",
        ),
        (
            "OnFailureAlarm",
            None,
            "ApproximateNumberOfMessagesVisible of OnFailureQueue has no alarm",
        ),
        (
            "ReseedStalledAlarm/Properties/AlarmActions/0",
            None,
            "ReseedStalledAlarm tells nobody",
        ),
        (
            "RealtimeErrorsAlarm/Condition",
            None,
            "RealtimeErrorsAlarm condition",
        ),
        (
            "Reseed/Properties/Policies/0/Statement/0/Action",
            set("s3:*"),
            "allowed s3:*",
        ),
        (
            "Reseed/Properties/Policies/0/Statement/2/Resource",
            set("*"),
            "allowed on *",
        ),
    ];
    for (path, value, part) in broken {
        let found = check(&break_at(&format!("Resources/{path}"), value));
        assert!(found.iter().any(|f| f.contains(part)), "{path}: {found:?}");
    }
    for (path, value) in [
        ("Globals/Function/Runtime", "provided.al2"),
        ("Globals/Function/Tracing", "PassThrough"),
    ] {
        assert_eq!(check(&break_at(path, set(value))).len(), 1, "{path}");
    }
}
