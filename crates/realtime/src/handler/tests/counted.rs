//! What an invocation counts.

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;

/// What a notification of two changes counts, of which the queue or the function refuses some.
fn counted(bucket: &str, queue: &Queued) -> impl Fn(&str) -> u64 + use<> {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        let refused = handle_of(bucket, queue, "", fixture("encoded-key"));
        runtime.block_on(refused).unwrap_err();
    });
    let counted = snapshots.snapshot().into_vec();
    move |name| {
        let mut named = counted.iter().filter(|(key, ..)| key.key().name() == name);
        let value = named.next().map(|(_, _, _, value)| value);
        match value {
            Some(DebugValue::Counter(count)) => *count,
            Some(DebugValue::Histogram(values)) => values.len() as u64,
            _ => 0,
        }
    }
}

#[test]
fn what_is_of_another_bucket_is_counted() {
    let of = counted("mine", &Queued::default());
    assert_eq!(of("RecordsRefused"), 2);
}

#[test]
fn what_was_sent_repeated_and_failed_is_counted() {
    let queue = Queued {
        refuses: Some("red flower"),
        ..Queued::default()
    };
    let of = counted("", &queue);
    assert_eq!((of("EventsForwarded"), of("EventsFailed")), (1, 1));
    assert!(of("EntriesRetried") > 1);
    assert_eq!(of("LagMs"), 1, "only of what arrived");
}
