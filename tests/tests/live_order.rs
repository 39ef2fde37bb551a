//! Live order on the deployed template: changes as fast as they go, some of one key at the same time, and how
//! long a change takes alone. What is printed is for docs/BENCHMARKS.md; the runner shows it also when all is well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::latency::Latencies;
use e2e::{Received, STACK, Stack};
use futures_util::future::join_all;

const KEYS: usize = 10;
const CHANGES_OF_A_KEY: usize = 20;
const TIMEOUT: Duration = Duration::from_mins(5);

/// Nothing came for so long: all has come.
const QUIET: Duration = Duration::from_secs(4);

/// So many invocations at the same time are enough to swap changes, and not too many processes for two cores.
const AT_ONCE: (&str, &str) = ("RealtimeConcurrency", "20");

/// Of one key, and of all keys at the same time.
const ROUNDS: [(usize, usize); 2] = [(1, 40), (KEYS, 10)];

/// The version ids of each key, in the order in which they were written.
type Written = BTreeMap<String, Vec<String>>;

/// What the queue tells of each key, as places in the order of writing.
type Told = BTreeMap<String, Vec<usize>>;

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

/// What the queue tells, once the last change of every key has come and nothing comes any more.
async fn told(stack: &Stack, written: &Written) -> Told {
    let begin = Instant::now();
    let mut streams = Told::new();
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

/// Changes as fast as they go, and what the queue tells of them.
async fn storm(stack: &Stack, order: &str, way: &str) -> Told {
    let written = write(stack, &format!("{order}/{way}")).await;
    let streams = told(stack, &written).await;
    assert_eq!(streams.len(), KEYS, "{order}, {way}: {streams:?}");
    let messages: usize = streams.values().map(Vec::len).sum();
    let swaps: usize = streams.values().map(|stream| swaps(stream)).sum();
    println!(
        "{order}, {way}: {} changes of {KEYS} keys, {messages} messages, {swaps} times a key went back",
        KEYS * CHANGES_OF_A_KEY
    );
    streams
}

/// A state that is built from it never goes back, and ends as the bucket.
async fn newest(stack: &Stack, way: &str) {
    for (key, stream) in storm(stack, "newest", way).await {
        assert_eq!(swaps(&stream), 0, "{way}: {key} goes back: {stream:?}");
        let last = Some(&(CHANGES_OF_A_KEY - 1));
        assert_eq!(stream.last(), last, "{way}: {key}: {stream:?}");
    }
}

/// Each version once and in order.
async fn exact(stack: &Stack, way: &str) {
    begin(stack, &format!("begin/{way}")).await;
    let history: Vec<usize> = (0..CHANGES_OF_A_KEY).collect();
    for (key, stream) in storm(stack, "exact", way).await {
        assert_eq!(stream, history, "{way}: {key}");
    }
}

/// Exact begins with the first change that comes; what was before it is sent as it comes.
async fn begin(stack: &Stack, key: &str) {
    stack.put(key, "first").await.unwrap();
    let url = stack.output("QueueUrl");
    let ours = |message: &Received| message.text("key") == key;
    let first = stack.receive(url, 1, TIMEOUT, ours).await.unwrap();
    assert_eq!(first.len(), 1, "{key}");
}

/// How long changes take that nothing else goes on beside.
async fn latencies(stack: &Stack, order: &str) {
    for (keys, rounds) in ROUNDS {
        let names: Vec<_> = (0..keys)
            .map(|number| format!("latency/{order}/{keys}/{number}"))
            .collect();
        let found = Latencies::measure(stack, &names, rounds, TIMEOUT).await;
        println!("{order}, direct, keys: {keys}: {}", found.unwrap());
    }
}

/// Deploys the stack anew with an order and a way that changes come.
async fn changed(stack: Stack, order: &'static str, ingestion: &'static str) -> Stack {
    let mut parameters = vec![("LiveOrder", order), ("Ingestion", ingestion)];
    // The emulator's poller of buffers fails where a template limits it.
    parameters.extend((ingestion == "direct").then_some(AT_ONCE));
    stack.change(&parameters).await.unwrap()
}

#[tokio::test]
async fn each_order_keeps_what_it_promises_while_changes_come_as_fast_as_they_go() {
    let mut stack = Stack::create("live-order", &[AT_ONCE]).await.unwrap();
    let streams = storm(&stack, "notified", "direct").await;
    for (key, mut stream) in streams {
        stream.sort_unstable();
        stream.dedup();
        assert_eq!(stream.len(), CHANGES_OF_A_KEY, "{key} lacks some");
    }
    latencies(&stack, "notified").await;

    stack = changed(stack, "newest", "direct").await;
    newest(&stack, "direct").await;
    latencies(&stack, "newest").await;
    stack = changed(stack, "newest", "buffered").await;
    newest(&stack, "buffered").await;

    // From a buffer to direct, so that the order changes once.
    stack = changed(stack, "exact", "buffered").await;
    exact(&stack, "buffered").await;
    stack = changed(stack, "exact", "direct").await;
    exact(&stack, "direct").await;
    latencies(&stack, "exact").await;
    stack.remove().await.unwrap();
}

/// The emulator's events have no version ids on that way: they tell of a key, and what is sent is read.
#[tokio::test]
async fn exact_needs_nothing_of_an_event_of_eventbridge_but_the_key() {
    let bucket = "live-order-bus-ledger";
    let first = Stack::connect(STACK).await.unwrap();
    first.create_bucket_to_watch(bucket).await.unwrap();
    let parameters = [("LiveOrder", "exact"), ("ExistingBucket", bucket)];
    let direct = [&parameters[..], &[AT_ONCE]].concat();
    let mut stack = Stack::create("live-order-bus", &direct).await.unwrap();
    exact(&stack, "EventBridge").await;
    let buffered = [&parameters[..], &[("Ingestion", "buffered")]].concat();
    stack = stack.change(&buffered).await.unwrap();
    exact(&stack, "EventBridge and a buffer").await;
    stack.remove().await.unwrap();
}
