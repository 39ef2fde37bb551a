//! Live order on the deployed template: changes as fast as they go, some of one key at the same time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::{Received, Stack};
use futures_util::future::join_all;

const KEYS: usize = 10;
const CHANGES_OF_A_KEY: usize = 20;
const TIMEOUT: Duration = Duration::from_mins(5);

/// Nothing came for so long: all has come.
const QUIET: Duration = Duration::from_secs(4);

/// So many invocations at the same time are enough to swap changes, and not too many processes for two cores.
const AT_ONCE: (&str, &str) = ("RealtimeConcurrency", "20");

/// The version ids of each key, in the order in which they were written.
type Written = BTreeMap<String, Vec<String>>;

/// One writer a key: overwrites, and every fifth change a delete.
async fn write(stack: &Stack, prefix: &str) -> Written {
    let writers = (0..KEYS).map(|number| async move {
        let key = format!("{prefix}/{number}");
        let mut versions = Vec::new();
        for step in 0..CHANGES_OF_A_KEY {
            let version = if step % 5 == 3 {
                stack.delete(&key).await
            } else {
                stack.put(&key, &step.to_string()).await
            };
            versions.push(version.unwrap());
        }
        (key, versions)
    });
    join_all(writers).await.into_iter().collect()
}

/// What the queue tells of each key, as places in the order of writing, once the last change of every
/// key has come and nothing comes any more.
async fn told(stack: &Stack, written: &Written) -> BTreeMap<String, Vec<usize>> {
    let begin = Instant::now();
    let mut streams: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let ours = |message: &Received| written.contains_key(message.text("key"));
    loop {
        let url = stack.output("QueueUrl");
        let more = stack.receive(url, usize::MAX, QUIET, ours).await.unwrap();
        for event in &more {
            let versions = &written[event.text("key")];
            let version = event.text("versionId");
            let place = versions.iter().position(|one| one == version);
            let stream = streams.entry(event.text("key").to_owned()).or_default();
            stream.push(place.expect("a version that was written"));
        }
        let have_ended = streams.len() == written.len()
            && streams
                .values()
                .all(|s| s.contains(&(CHANGES_OF_A_KEY - 1)));
        if (more.is_empty() && have_ended) || begin.elapsed() > TIMEOUT {
            return streams;
        }
    }
}

fn swaps(stream: &[usize]) -> usize {
    stream.windows(2).filter(|two| two[0] > two[1]).count()
}

fn total(streams: &BTreeMap<String, Vec<usize>>) -> usize {
    streams.values().map(Vec::len).sum()
}

/// Deploys the stack anew with an order and a way that changes come.
async fn changed(stack: Stack, order: &'static str, ingestion: &'static str) -> Stack {
    let mut parameters = vec![("LiveOrder", order), ("Ingestion", ingestion)];
    // The emulator's poller of buffers fails where a template limits it.
    parameters.extend((ingestion == "direct").then_some(AT_ONCE));
    stack.change(&parameters).await.unwrap()
}

/// Exact begins with the first change that comes; what was before it is sent as it comes.
async fn begin(stack: &Stack, key: &str) {
    stack.put(key, "first").await.unwrap();
    let url = stack.output("QueueUrl");
    let ours = |message: &Received| message.text("key") == key;
    let first = stack.receive(url, 1, TIMEOUT, ours).await.unwrap();
    assert_eq!(first.len(), 1, "{key}");
}

#[tokio::test]
async fn each_order_keeps_what_it_promises_while_changes_come_as_fast_as_they_go() {
    let mut stack = Stack::create("live-order", &[AT_ONCE]).await.unwrap();
    let written = write(&stack, "notified").await;
    let streams = told(&stack, &written).await;
    let events = total(&streams);
    assert!(
        events >= KEYS * CHANGES_OF_A_KEY,
        "{events} events: {streams:?}"
    );
    let all: usize = streams.values().map(|stream| swaps(stream)).sum();
    println!("notified: {events} events of {KEYS} keys, {all} times a key went back");

    for ingestion in ["direct", "buffered"] {
        stack = changed(stack, "newest", ingestion).await;
        let written = write(&stack, &format!("newest/{ingestion}")).await;
        let streams = told(&stack, &written).await;
        assert_eq!(streams.len(), KEYS, "{ingestion}: {streams:?}");
        for (key, stream) in &streams {
            assert_eq!(swaps(stream), 0, "{key} goes back: {stream:?}");
            assert_eq!(
                stream.last(),
                Some(&(CHANGES_OF_A_KEY - 1)),
                "{key}: {stream:?}"
            );
        }
        let events = total(&streams);
        let left_out = KEYS * CHANGES_OF_A_KEY - events.min(KEYS * CHANGES_OF_A_KEY);
        println!("newest, {ingestion}: {events} events, {left_out} changes were late");
    }

    // From a buffer to direct, so that the order changes once.
    for ingestion in ["buffered", "direct"] {
        stack = changed(stack, "exact", ingestion).await;
        begin(&stack, &format!("begin/{ingestion}")).await;
        let written = write(&stack, &format!("exact/{ingestion}")).await;
        let streams = told(&stack, &written).await;
        let history: Vec<usize> = (0..CHANGES_OF_A_KEY).collect();
        for key in written.keys() {
            assert_eq!(streams.get(key), Some(&history), "{ingestion}: {key}");
        }
        println!("exact, {ingestion}: the history of each of {KEYS} keys");
    }
    stack.remove().await.unwrap();
}
