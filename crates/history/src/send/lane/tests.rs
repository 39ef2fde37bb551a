use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bridge_core::queue::port::EntryResult;
use bridge_core::retry::Backoff;
use tokio_util::sync::CancellationToken;

use super::*;

type Answer = Result<Vec<EntryResult>, SendError>;

/// A queue that answers as a function says.
struct Played<F>(F);

#[async_trait]
impl<F: Fn(&[Message]) -> Answer + Send + Sync> Queue for Played<F> {
    async fn send(&self, messages: &[Message]) -> Answer {
        (self.0)(messages)
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// A queue that answers as `answer` says.
fn played(answer: impl Fn(&[Message]) -> Answer + Send + Sync + 'static) -> Arc<dyn Queue> {
    Arc::new(Played(answer))
}

fn all_taken(messages: &[Message]) -> Vec<EntryResult> {
    vec![Ok(()); messages.len()]
}

fn refusal(kind: FailureKind, code: &str) -> SendError {
    SendError {
        kind,
        code: code.to_owned(),
        message: String::new(),
    }
}

/// What a lane reported.
#[derive(Default)]
struct Noted {
    acknowledged: Mutex<Vec<u64>>,
    parked: Mutex<Vec<u64>>,
}

impl Noted {
    fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.lock().unwrap().clone()
    }

    fn parked(&self) -> Vec<u64> {
        self.parked.lock().unwrap().clone()
    }
}

impl Ledger for &Noted {
    fn acknowledged(&self, numbers: &[u64]) {
        self.acknowledged.lock().unwrap().extend(numbers);
    }

    fn taken_apart(&self, _: u64, _: usize) {}

    fn parked(&self, number: u64) {
        self.parked.lock().unwrap().push(number);
    }
}

struct Open;

impl Gate for Open {
    fn is_open(&self, _: Duration) -> bool {
        true
    }
}

fn lane(queue: Arc<dyn Queue>, limiter: Arc<ConcurrencyLimiter>) -> Lane {
    Lane {
        queue,
        gate: Arc::new(Open),
        limiter,
        mode: Mode::Strict,
        fills_requests: true,
        retry: Retry {
            backoff: Backoff::default(),
            retry_timeout: Duration::from_mins(1),
            stop: CancellationToken::new(),
        },
        max_message_bytes: 1024,
        parking: None,
        random: fastrand::Rng::with_seed(1),
    }
}

fn message(number: u64, group: Option<&str>) -> Message {
    Message {
        number,
        events: 1,
        body: "{}".to_owned(),
        group: group.map(str::to_owned),
        deduplication_id: None,
        attempt: 0,
        attributes: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_request_refused_as_a_whole_the_message_at_fault_is_named_and_no_other_held_back() {
    let (sender, messages) = mpsc::channel(20);
    for number in 0..10 {
        let group = number.to_string();
        sender.send(message(number, Some(&group))).await.unwrap();
    }
    let noted = Noted::default();
    let picky = played(|messages| {
        if messages.iter().all(|message| message.number != 4) {
            return Ok(all_taken(messages));
        }
        Err(refusal(FailureKind::Permanent, "InvalidParameterValue"))
    });
    let sent = lane(picky, ConcurrencyLimiter::new(1)).run(messages, &noted);
    let error = sent.await.unwrap_err();
    assert!(
        matches!(&error, DeliveryError::Rejected { event, .. } if event.sequence == 4),
        "{error}"
    );
    assert_eq!(noted.acknowledged(), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_for_its_turn_does_not_use_up_a_lanes_patience() {
    let limiter = ConcurrencyLimiter::new(1);
    let requests = AtomicUsize::new(0);
    let hiccup = played(move |messages| {
        if requests.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(all_taken(messages));
        }
        Err(refusal(FailureKind::Transient, "InternalFailure"))
    });
    let lane = lane(hiccup, Arc::clone(&limiter));
    let (sender, messages) = mpsc::channel(1);
    sender.send(message(7, None)).await.unwrap();
    drop(sender);
    let noted = Noted::default();
    let another = limiter.acquire().await;
    let turn = async {
        sleep(Duration::from_mins(10)).await;
        another.finish(None);
    };
    let sent = lane.run(messages, &noted);
    let (sent, ()) = tokio::join!(sent, turn);
    assert_eq!(sent, Ok(()));
    assert_eq!(noted.acknowledged(), [7]);
}

/// Takes all but messages whose body holds a text, and keeps the bodies.
#[derive(Default)]
struct Fussy {
    refuses: &'static str,
    code: &'static str,
    bodies: Mutex<Vec<String>>,
}

impl Fussy {
    fn refusing(refuses: &'static str, code: &'static str) -> Arc<Self> {
        Arc::new(Self {
            refuses,
            code,
            ..Self::default()
        })
    }

    fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// It as a queue.
fn fussy(fussy: &Arc<Fussy>) -> Arc<dyn Queue> {
    let fussy = Arc::clone(fussy);
    played(move |messages| {
        let answer = |message: &Message| {
            if !fussy.refuses.is_empty() && message.body.contains(fussy.refuses) {
                return Err(refusal(FailureKind::Permanent, fussy.code));
            }
            fussy.bodies.lock().unwrap().push(message.body.clone());
            Ok(())
        };
        Ok(messages.iter().map(answer).collect())
    })
}

/// An event of a job, as its message.
fn event(number: u64, key: &str) -> Message {
    let body = format!(
        r#"{{"eventId":"e","source":"reseed","eventName":"ObjectCreated:Put","bucket":"b","key":"{key}","versionId":"v{number}","eventTime":"2024-05-01T12:00:00.000Z","jobId":"j","sequence":{number}}}"#
    );
    Message {
        body,
        attributes: vec![("jobId", "j".to_owned())],
        ..message(number, Some(key))
    }
}

/// What became of these: how the lane ended, what it told, what the queue and the place have.
async fn parked(
    messages: Vec<Message>,
    queue: &Arc<Fussy>,
    place: Option<&Arc<Fussy>>,
) -> (Result<(), DeliveryError>, Noted) {
    let (sender, receiver) = mpsc::channel(50);
    for message in messages {
        sender.send(message).await.unwrap();
    }
    drop(sender);
    drive(receiver, queue, place.map(fussy)).await
}

async fn drive(
    messages: mpsc::Receiver<Message>,
    queue: &Arc<Fussy>,
    place: Option<Arc<dyn Queue>>,
) -> (Result<(), DeliveryError>, Noted) {
    let mut lane = lane(fussy(queue), ConcurrencyLimiter::new(1));
    lane.parking = place.map(|place| Parking {
        place,
        clock: Arc::new(bridge_core::clock::SystemClock),
        gate: Arc::clone(&lane.gate),
        retry: lane.retry.clone(),
    });
    let noted = Noted::default();
    let end = lane.run(messages, &noted).await;
    (end, noted)
}

#[tokio::test(start_paused = true)]
async fn what_a_place_does_not_confirm_is_not_kept() {
    let (sender, messages) = mpsc::channel(1);
    sender.send(event(1, "a")).await.unwrap();
    drop(sender);
    let queue = Fussy::refusing("v1", "InvalidMessageContents");
    let silent = played(|_| Ok(Vec::new()));
    let (end, noted) = drive(messages, &queue, Some(silent)).await;
    assert!(
        matches!(end, Err(DeliveryError::NotParked { .. })),
        "{end:?}"
    );
    assert!(noted.parked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_named_or_kept_aside_and_its_group_goes_on_behind_it() {
    let long = "x".repeat(2_000);
    let all = || {
        let mut all: Vec<_> = (1..=6).map(|number| event(number, "a")).collect();
        all[2].body = all[2].body.replace("\"v3\"", "\"bad\"");
        all[4].body = all[4].body.replace("\"v5\"", &format!("\"{long}\""));
        all
    };
    let queue = Fussy::refusing("bad", "InvalidMessageContents");
    let place = Fussy::refusing("", "");
    let (end, noted) = parked(all(), &queue, Some(&place)).await;
    end.unwrap();
    assert_eq!(
        (noted.acknowledged(), noted.parked()),
        (vec![1, 2, 4, 6], vec![3, 5])
    );
    let records = place.bodies();
    let record: serde_json::Value = serde_json::from_str(&records[0]).unwrap();
    assert_eq!(record["sequence"], 3);
    assert_eq!(record["event"]["versionId"], "bad");
    assert_eq!(
        (&record["jobId"], &record["code"]),
        (&"j".into(), &"InvalidMessageContents".into())
    );
    assert!(records[1].contains("\"MessageTooLong\""), "{}", records[1]);

    // Without a place the lane ends at the first, whichever way it was found.
    for (queue, first) in [(queue, 3), (Fussy::refusing("none", ""), 5)] {
        let (end, noted) = parked(all(), &queue, None).await;
        let told = end.unwrap_err().to_string();
        for part in [
            format!("event {first} (key \"a\", version id").as_str(),
            "\"onUndeliverable\":\"park\"",
            "--on-undeliverable park",
        ] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
        assert_eq!(noted.acknowledged(), (1..first).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_the_callers_fault_is_not_parked() {
    for code in [
        "AccessDenied",
        "KMS.DisabledException",
        "InvalidParameterValue",
    ] {
        let (queue, place) = (Fussy::refusing("v1", code), Fussy::refusing("", ""));
        let (end, noted) = parked(vec![event(1, "a")], &queue, Some(&place)).await;
        let told = end.unwrap_err().to_string();
        assert!(told.contains(code) && !told.contains("park"), "{told}");
        assert!(noted.parked().is_empty() && place.bodies().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_kept_aside_is_not_passed_over() {
    let queue = Fussy::refusing("v1", "InvalidMessageContents");
    for code in ["AccessDenied", "InvalidMessageContents"] {
        let place = Fussy::refusing("sequence", code);
        let (end, noted) = parked(vec![event(1, "a")], &queue, Some(&place)).await;
        assert!(
            matches!(end, Err(DeliveryError::NotParked { .. })),
            "{end:?}"
        );
        assert!(noted.parked().is_empty());
    }
    // It refuses the whole event, and takes one whose texts are cut.
    let place = Fussy::refusing("the-end", "InvalidMessageContents");
    let key = format!("{}the-end", "k".repeat(1_000));
    let (end, noted) = parked(vec![event(1, &key)], &queue, Some(&place)).await;
    end.unwrap();
    assert_eq!(noted.parked(), [1]);
    let record: serde_json::Value = serde_json::from_str(&place.bodies()[0]).unwrap();
    assert_eq!(record["form"], "cut");
    let told = record["event"]["key"].as_str().unwrap();
    assert!(told.ends_with("k… (7 bytes more)"), "{told}");
    // It refuses the event, but not that there is one.
    let place = Fussy::refusing("versionId", "InvalidMessageContents");
    let (end, noted) = parked(vec![event(1, "a")], &queue, Some(&place)).await;
    end.unwrap();
    assert_eq!(noted.parked(), [1]);
    assert!(
        place.bodies()[0].contains("\"form\":\"least\""),
        "{:?}",
        place.bodies()
    );
}
