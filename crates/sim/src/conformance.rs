//! What every adapter of a port must do, simulated, local or on AWS: one suite a port, run against
//! each (`tests/conformance.rs` here, `tests/tests/conformance.rs` on a deployed stack).
//!
//! The functions panic with what is wrong, as tests do.

mod keys;
mod live;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bridge_core::failure::FailureKind;
use bridge_core::format::Format;
use bridge_core::listing::lister::Lister;
use bridge_core::listing::page::{Marker, parse_page};
use bridge_core::queue::message::Message;
use bridge_core::queue::ordering::{Mode, Order};
use bridge_core::queue::port::Queue;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::{Epoch, JobId};
use bridge_history::job::error::JobStoreError;
use bridge_history::job::handover::Then;
use bridge_history::job::options::Options;
use bridge_history::job::phase::Phase;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Seen};
use bridge_history::job::store::JobStore;
use bridge_history::plan::elsewhere::place::PlanSource;
use bridge_history::plan::position::Position;
use bridge_history::plan::store::{PlanError, PlanStore};
use bridge_history::scan::filter::Filter;
use bridge_history::send::checkpoint::Checkpoint;
use bridge_history::send::parking::OnUndeliverable;
use bridge_history::send::target::Target;
use bytes::Bytes;

pub use crate::conformance::keys::key_store;
pub use crate::conformance::live::live_store;
pub use crate::conformance::stream::stream_store;

/// `store` is empty, or holds nothing below `folder`.
pub async fn plan_store(store: &dyn PlanStore, folder: &str) {
    let name = format!("{folder}/runs/000001-000000.parquet");
    match store.get(&name, None).await {
        Err(PlanError::Store {
            kind: FailureKind::Permanent,
            name: told,
            ..
        }) => assert!(told.ends_with(&name), "{told}"),
        other => panic!("an object that is not there: {other:?}"),
    }
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    store.put(&name, Bytes::from(bytes.clone())).await.unwrap();
    assert_eq!(store.get(&name, None).await.unwrap(), bytes);
    for range in [0..1, 0..100_000, 99_999..100_000, 12_345..67_890, 500..500] {
        let part = store.get(&name, Some(range.clone())).await.unwrap();
        let ends = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(part, bytes[ends], "{range:?}");
    }
    let past_the_end = store.get(&name, Some(99_990..200_000)).await.unwrap();
    assert_eq!(past_the_end, bytes[99_990..]);
    store.put(&name, Bytes::from_static(b"old")).await.unwrap();
    let tag = store.tag(&name).await.unwrap().unwrap();
    assert_eq!(store.tag(&name).await.unwrap().as_ref(), Some(&tag));
    assert_eq!(store.get_tagged(&name, 1..3, &tag).await.unwrap(), "ld");
    store.put(&name, Bytes::from_static(b"new")).await.unwrap();
    match store.get_tagged(&name, 1..3, &tag).await {
        Err(PlanError::Refused { name: told, reason }) => {
            assert!(
                told.ends_with(&name) && reason.contains("replaced"),
                "{told}: {reason}"
            );
        }
        other => panic!("an object that was replaced: {other:?}"),
    }
    assert_ne!(store.tag(&name).await.unwrap(), Some(tag));
    assert_eq!(store.get(&name, None).await.unwrap(), "new");
    store.put(&name, Bytes::new()).await.unwrap();
    assert_eq!(store.get(&name, None).await.unwrap(), "");
}

fn job(id: &JobId) -> Job {
    let options = Options {
        filter: Filter {
            prefix: "ünï/".to_owned(),
            until: Some(Timestamp(1_800_000_000_000)),
            ..Filter::default()
        },
        order: Order::Key,
        format: Format::S3,
        delivery: Mode::Batched,
        records_per_message: 7,
        target: Target::Queue("https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned()),
        max_rate: Some(u64::from(u32::MAX)),
        pause_above_depth: None,
        dry_run: false,
        refuse_ambiguous: false,
        on_undeliverable: OnUndeliverable::Park,
        then: Some(Then::Live),
        plan: Some(PlanSource {
            uri: "s3://plans/ünï/manifest.json".to_owned(),
            digest: "0".repeat(32),
        }),
    };
    Job::new(id.clone(), "ledger", options, "d1".to_owned(), Timestamp(5))
}

fn numbered(prefix: &str, number: u32) -> JobId {
    JobId::stored(format!("{prefix}-{number}"))
}

/// `store` holds no job whose id begins with `prefix`.
pub async fn job_store(store: Arc<dyn JobStore>, prefix: &str) {
    let id = numbered(prefix, 1);
    assert_eq!(store.load(&id).await, Ok(None));
    let first = job(&id);
    let conflict = Err(JobStoreError::Conflict { job_id: id.clone() });
    assert_eq!(
        store.replace(&first, first.stored_revision()).await,
        conflict,
        "there is none"
    );
    store.create(&first).await.unwrap();
    assert_eq!(store.create(&first).await, conflict, "there is one");
    assert_eq!(store.load(&id).await, Ok(Some(first.clone())));

    // Everything a job can hold comes back as it was.
    let mut second = first
        .take_over(
            "me",
            Some(Epoch(0)),
            Timestamp(9),
            Duration::from_mins(1),
            Seen::Once,
        )
        .unwrap();
    second.checkpoint = Checkpoint {
        sequence: u64::from(u32::MAX) * 1000,
        position: Some(Position {
            effective_time: Timestamp(-1),
            key: "\u{1}\u{10ffff} \"key\"".to_owned(),
            rank: 3,
        }),
    };
    second.manifest = Some("jobs/x/manifest-000001-1.json".to_owned());
    second.last_error = Some("why\nit failed".to_owned());
    store
        .replace(&second, first.stored_revision())
        .await
        .unwrap();
    assert_eq!(store.load(&id).await, Ok(Some(second.clone())));

    // A stale write changes nothing, whichever half of the revision is stale.
    let mut stale = first.next(Timestamp(10));
    stale.phase = Phase::Cancelled;
    assert_eq!(
        store.replace(&stale, first.stored_revision()).await,
        conflict
    );
    let mut other_epoch = second.stored_revision();
    other_epoch.epoch = other_epoch.epoch.next();
    assert_eq!(store.replace(&stale, other_epoch).await, conflict);
    assert_eq!(store.load(&id).await, Ok(Some(second.clone())));

    // Of several at once, one wins.
    let mut writes = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, second) = (Arc::clone(&store), second.clone());
        writes.spawn(async move {
            let mut next = second.next(Timestamp(11));
            next.last_error = Some(format!("writer {writer}"));
            store.replace(&next, second.stored_revision()).await.is_ok()
        });
    }
    let won = writes.join_all().await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);

    let mut other = job(&numbered(prefix, 2));
    other.created_at = Timestamp(6);
    store.create(&other).await.unwrap();
    job_index(&*store, prefix, &other).await;
}

/// `other` is the newer of two jobs at work. What the index shows may be behind by a moment.
async fn job_index(store: &dyn JobStore, prefix: &str, other: &Job) {
    let ids =
        |numbers: &[u32]| -> Vec<JobId> { numbers.iter().map(|n| numbered(prefix, *n)).collect() };
    let ours = |id: &JobId| id.as_str().starts_with(prefix);
    let active = async || {
        let mut active = store.active().await.unwrap();
        active.retain(ours);
        active.sort_unstable();
        active
    };
    let list = async |after: Option<&Place>, most| {
        let places = store.newest(after, most).await.unwrap();
        let ids = places.into_iter().map(|place| place.job_id);
        ids.filter(ours).collect::<Vec<_>>()
    };
    eventually(&active, &ids(&[1, 2])).await;
    // Behind any other job that may be there, nothing else is as old.
    let before = Place {
        created_at: Timestamp(7),
        job_id: JobId::stored(String::new()),
    };
    eventually(async || list(Some(&before), 5).await, &ids(&[2, 1])).await;
    assert_eq!(list(Some(&before), 1).await, ids(&[2]));
    assert_eq!(list(Some(&Place::of(other)), 5).await, ids(&[1]));
    assert!(list(None, 1000).await.len() == 2, "from the beginning");

    // One that has ended is listed, and not at work.
    let mut ended = other.next(Timestamp(12));
    ended.end_as(Phase::Done, Timestamp(12));
    store
        .replace(&ended, other.stored_revision())
        .await
        .unwrap();
    eventually(&active, &ids(&[1])).await;
    assert_eq!(list(Some(&before), 5).await, ids(&[2, 1]));
}

/// Asks again for ten seconds at most.
async fn eventually(ask: impl AsyncFn() -> Vec<JobId>, expected: &[JobId]) {
    let begin = tokio::time::Instant::now();
    loop {
        let told = ask().await;
        if told == expected {
            return;
        }
        assert!(begin.elapsed().as_secs() < 10, "{told:?} not {expected:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn message(number: u64, group: Option<u64>, id: &str) -> Message {
    Message {
        number,
        events: 1,
        body: format!("{{\"sequence\":{number},\"text\":\"ünï \\\"quoted\\\"\"}}"),
        group: group.map(|group| format!("group-{group}")),
        deduplication_id: group.map(|_| id.to_owned()),
        attempt: 0,
        attributes: vec![
            ("source", "reseed".to_owned()),
            ("jobId", "conformance".to_owned()),
        ],
    }
}

/// An empty FIFO queue; `read` waits for so many messages and tells all bodies, in order.
pub async fn fifo_queue(queue: &dyn Queue, read: impl AsyncFn(usize) -> Vec<String>) {
    let limit = queue.max_message_bytes().await.unwrap();
    assert!(limit >= 1024, "{limit} bytes a message");
    assert!(queue.request_timeout() >= Duration::from_secs(1));
    let mut sent = Vec::new();
    for round in 0..3 {
        let request: Vec<_> = (0..10)
            .map(|group| {
                let number = round * 10 + group;
                message(number, Some(group), &format!("c:{number}"))
            })
            .collect();
        assert_eq!(queue.send(&request).await, Ok(vec![Ok(()); 10]));
        sent.extend(request);
    }
    // A repetition is confirmed and dropped; another attempt of it is not.
    let mut again = message(0, Some(0), "c:0");
    assert_eq!(queue.send(&[again.clone()]).await, Ok(vec![Ok(())]));
    again.attempt = 1;
    assert_eq!(queue.send(&[again.clone()]).await, Ok(vec![Ok(())]));
    sent.push(again);
    let mut bodies = read(sent.len()).await;
    assert_eq!(bodies.len(), sent.len(), "messages");
    for group in 0..10 {
        let of_group = |body: &String| {
            let sequence = serde_json::from_str::<serde_json::Value>(body).unwrap();
            sequence["sequence"].as_u64().unwrap() % 10 == group
        };
        let got: Vec<_> = bodies.iter().filter(|body| of_group(body)).collect();
        let expected: Vec<_> = sent
            .iter()
            .map(|m| &m.body)
            .filter(|b| of_group(b))
            .collect();
        assert_eq!(got, expected, "group {group}");
    }
    bodies.clear();
    // What is too long is refused for good, alone or in company.
    let mut long = message(99, Some(9), "c:99");
    long.body = "x".repeat(limit + 1);
    let is_rejected = match queue.send(&[long]).await {
        Ok(results) => results[0]
            .as_ref()
            .is_err_and(|r| r.kind == FailureKind::Permanent),
        Err(refusal) => refusal.kind == FailureKind::Permanent,
    };
    assert!(is_rejected, "a message of {} bytes", limit + 1);
    assert!(queue.depth().await.is_ok());
}

/// A bucket that holds, below `prefix`, exactly these (key, version id), by key and newest first.
pub async fn lister(lister: &dyn Lister, prefix: &str, expected: &[(String, String)]) {
    let list = async |marker: Option<Marker>| {
        let mut entries = Vec::new();
        let mut next = Some(marker);
        while let Some(marker) = next {
            let document = lister.list(prefix, marker.as_ref()).await.unwrap();
            let page = parse_page(&document).unwrap();
            let versions = page.listing.iter().map(|planned| planned.version);
            entries.extend(versions.map(|v| (v.key.to_owned(), v.version_id.to_owned())));
            next = page.next.map(Some);
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0)); // stable: some servers list markers apart
        entries
    };
    let by_key = |of: &[(String, String)]| {
        let mut sorted = of.to_vec();
        sorted.sort_unstable();
        sorted
    };
    assert_eq!(by_key(&list(None).await), by_key(expected));
    // Behind a key: everything of the keys after it.
    let (middle, _) = &expected[expected.len() / 2];
    let behind = list(Some(Marker {
        key: middle.clone(),
        version_id: None,
    }))
    .await;
    let after: Vec<_> = expected
        .iter()
        .filter(|(key, _)| key > middle)
        .cloned()
        .collect();
    assert_eq!(by_key(&behind), by_key(&after), "behind {middle:?}");
}
