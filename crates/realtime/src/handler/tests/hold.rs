use async_trait::async_trait;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{HistoryEnd, Hold, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;

/// A live table on which a job holds the stream.
struct Holding;

#[async_trait]
impl StreamStore for Holding {
    async fn read(&self) -> Result<Stream, LiveStoreError> {
        Ok(Stream {
            hold: Some(Hold {
                owner: "job-1".to_owned(),
                since: Timestamp(0),
            }),
            ..Stream::default()
        })
    }

    async fn begin(&self, _: LiveOrder, _: Timestamp) -> Result<Stream, LiveStoreError> {
        panic!("a held stream is left as it is")
    }

    async fn hold(&self, _: &str, _: Timestamp) -> Result<(), LiveStoreError> {
        panic!("not of an invocation")
    }

    async fn release(&self, _: &str, _: Option<HistoryEnd>) -> Result<(), LiveStoreError> {
        panic!("not of an invocation")
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_stream_is_held_nothing_is_sent_and_all_comes_again() {
    let config = RealtimeConfig::read(&|name| {
        (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
    });
    let queue = Queued::default();
    let gate = Gate::by(Box::new(Holding), LiveOrder::Newest);
    let forwarder = Forwarder::new(config.unwrap(), &queue, gate, Live::Notified);
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let batch = fixture("sqs-to-lambda");
    let messages = batch["Records"].as_array().unwrap().len();
    let answer = super::super::handle(&forwarder, batch, &INVOCATION)
        .await
        .unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    assert_eq!(failures.len(), messages);
    for input in [fixture("put"), json!({"action": "health"})] {
        let error = super::super::handle(&forwarder, input, &INVOCATION)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "Held");
        assert!(error.to_string().contains("job-1"), "{error}");
    }
    assert!(queue.bodies.lock().unwrap().is_empty());
    let counted = snapshotter.snapshot().into_vec();
    let held = counted
        .iter()
        .find(|(key, ..)| key.key().name() == "EventsHeld");
    assert!(matches!(
        held,
        Some((.., DebugValue::Counter(events))) if *events >= 3
    ));
}
