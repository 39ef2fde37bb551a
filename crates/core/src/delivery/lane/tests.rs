use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;

/// Fails the first request, takes the others.
#[derive(Default)]
struct Hiccup(AtomicUsize);

#[async_trait]
impl Queue for Hiccup {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(vec![Ok(()); messages.len()]);
        }
        Err(Refusal {
            kind: RefusalKind::Unavailable,
            code: "InternalFailure".to_owned(),
            message: String::new(),
        })
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
        Ok(1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Refuses a request as a whole when it holds a certain message.
struct Picky(u64);

#[async_trait]
impl Queue for Picky {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        if messages.iter().all(|message| message.number != self.0) {
            return Ok(vec![Ok(()); messages.len()]);
        }
        Err(Refusal {
            kind: RefusalKind::Rejected,
            code: "InvalidParameterValue".to_owned(),
            message: "something in it".to_owned(),
        })
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
        Ok(1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// What a lane told of.
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

fn lane(queue: Arc<dyn Queue>, flow: Arc<Flow>) -> Lane {
    Lane {
        queue,
        gate: Arc::new(Open),
        flow,
        mode: Mode::Strict,
        fills_requests: true,
        stop: CancellationToken::new(),
        backoff: Backoff::default(),
        patience: Duration::from_mins(1),
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
    let sent = lane(Arc::new(Picky(4)), Flow::new(1)).run(messages, &noted);
    let error = sent.await.unwrap_err();
    assert!(
        matches!(&error, DeliveryError::Rejected { event, .. } if event.sequence == 4),
        "{error}"
    );
    assert_eq!(noted.acknowledged(), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_for_its_turn_does_not_use_up_a_lanes_patience() {
    let flow = Flow::new(1);
    let lane = lane(Arc::new(Hiccup::default()), Arc::clone(&flow));
    let (sender, messages) = mpsc::channel(1);
    sender.send(message(7, None)).await.unwrap();
    drop(sender);
    let noted = Noted::default();
    let another = flow.acquire().await;
    let turn = async {
        sleep(Duration::from_mins(10)).await;
        another.finish(Outcome::Well);
    };
    let sent = lane.run(messages, &noted);
    let (sent, ()) = tokio::join!(sent, turn);
    assert_eq!(sent, Ok(()));
    assert_eq!(noted.acknowledged(), [7]);
}
