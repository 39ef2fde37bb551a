use std::fmt::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::format::Format;
use bridge_core::listing::lister::ListError;
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::ObjectVersion;
use bridge_core::queue::error::SendError;
use bridge_core::queue::ordering::Order;
use bridge_core::queue::port::EntryResult;
use bridge_local::live::stream::LocalStream;
use bridge_local::live::table::LocalLive;
use bytes::Bytes;
use serde_json::Value;

use super::*;

/// A key with versions v1, v2, v3, a second each.
struct Bucket;

#[async_trait]
impl Lister for Bucket {
    async fn list(&self, prefix: &str, _: Option<&Marker>) -> Result<Bytes, ListError> {
        let mut xml = "<ListVersionsResult><IsTruncated>false</IsTruncated>".to_owned();
        for number in [3, 2, 1] {
            let _ = write!(
                xml,
                "<Version><Key>{prefix}</Key><VersionId>v{number}</VersionId><IsLatest>{}</IsLatest>\
                 <LastModified>2024-05-01T12:00:0{number}.000Z</LastModified><ETag>\"e\"</ETag><Size>1</Size></Version>",
                number == 3
            );
        }
        Ok(Bytes::from(xml + "</ListVersionsResult>"))
    }
}

/// Takes messages, but none of a version that is refused; and looks whether the key is held meanwhile.
struct Taken {
    table: LocalLive,
    refuses: &'static str,
    messages: Mutex<Vec<Message>>,
}

#[async_trait]
impl Queue for Taken {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let stranger = KeyStore::claim(&self.table, &claim("stranger"), SystemClock.now()).await;
        assert_eq!(
            stranger.err(),
            Some(LiveStoreError::Held),
            "it is sent without a claim"
        );
        let take = |message: &Message| {
            if version_of(message) == self.refuses {
                return Err(SendError {
                    kind: FailureKind::Permanent,
                    code: "InvalidMessageContents".to_owned(),
                    message: "not this one".to_owned(),
                });
            }
            self.messages.lock().unwrap().push(message.clone());
            Ok(())
        };
        Ok(messages.iter().map(take).collect())
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(1 << 20)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

fn version_of(message: &Message) -> String {
    let event: Value = serde_json::from_str(&message.body).unwrap();
    event["versionId"].as_str().unwrap().to_owned()
}

fn claim(owner: &str) -> KeyClaim {
    let now = SystemClock.now();
    KeyClaim {
        key: "ledger/k".to_owned(),
        owner: owner.to_owned(),
        until: now + Duration::from_mins(5),
        expires: now + RETENTION,
    }
}

/// So many seconds after 2024-05-01T12:00:00Z.
fn at(second: i64) -> Timestamp {
    Timestamp(1_714_564_800_000 + 1000 * second)
}

fn missing(id: &str, second: i64) -> PlannedVersion {
    let time = at(second);
    PlannedVersion {
        effective_time: time,
        rank: 1,
        version: ObjectVersion {
            key: "k".to_owned(),
            version_id: id.to_owned(),
            last_modified: time,
            is_latest: false,
            is_delete_marker: false,
            size: Some(1),
            e_tag: None,
        },
    }
}

struct Scene {
    _folder: tempfile::TempDir,
    table: LocalLive,
    stream: LocalStream,
    taken: Arc<Taken>,
    healer: Healer,
}

/// A stream that was sent as `order`, and a queue that refuses a version.
async fn scene(order: LiveOrder, refuses: &'static str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let table = LocalLive::open(folder.path()).unwrap();
    let stream = LocalStream::new(table.clone());
    stream.begin(order, Timestamp(0)).await.unwrap();
    let taken = Arc::new(Taken {
        table: table.clone(),
        refuses,
        messages: Mutex::default(),
    });
    let healer = Healer {
        bucket: "ledger".to_owned(),
        id: "heal".to_owned(),
        keys: Arc::new(table.clone()),
        places: Arc::new(table.clone()),
        stream: Arc::new(stream.clone()),
        lister: Arc::new(Bucket),
        dialect: Dialect::of_s3(),
        queue: Arc::clone(&taken) as _,
        writer: Writer {
            format: Format::Bridge,
            order: Order::Key,
            region: "eu-west-1".to_owned(),
        },
        kinds: Events::All,
        numbers: AtomicU64::new(0),
    };
    Scene {
        _folder: folder,
        table,
        stream,
        taken,
        healer,
    }
}

impl Scene {
    /// The versions that were sent, with their deduplication ids.
    fn sent(&self) -> Vec<(String, String)> {
        let messages = self.taken.messages.lock().unwrap();
        let sent = messages.iter().map(|message| {
            let id = message.deduplication_id.clone().unwrap();
            (version_of(message), id)
        });
        sent.collect()
    }

    /// What the next holder finds.
    async fn state(&self) -> KeyState {
        let found = KeyStore::claim(&self.table, &claim("next"), SystemClock.now()).await;
        found.expect("nobody holds it")
    }
}

fn named(sent: &[(&str, &str)]) -> Vec<(String, String)> {
    let named = sent
        .iter()
        .map(|(id, of)| ((*id).to_owned(), (*of).to_owned()));
    named.collect()
}

#[tokio::test]
async fn a_key_is_sent_up_to_its_newest_version_under_its_claim_and_live_goes_on_behind_it() {
    let scene = scene(LiveOrder::Exact, "").await;
    assert_eq!(scene.healer.heal(&missing("v2", 2)).await, Ok(2));
    assert_eq!(scene.sent(), named(&[("v2", "heal:0"), ("v3", "heal:1")]));
    let state = scene.state().await;
    assert!(!state.was_left);
    let three = at(3);
    assert_eq!(state.sent.unwrap().effective_time, three);
}

#[tokio::test]
async fn what_is_gone_from_the_bucket_is_passed_over_and_what_came_behind_it_is_sent() {
    let scene = scene(LiveOrder::Newest, "").await;
    assert_eq!(scene.healer.heal(&missing("gone", 2)).await, Ok(2));
    assert_eq!(scene.healer.heal(&missing("gone", 9)).await, Ok(0));
    assert_eq!(scene.sent(), named(&[("v2", "heal:0"), ("v3", "heal:1")]));
    let claim = Claim {
        key: "ledger/k".to_owned(),
        owner: "next".to_owned(),
        intent: Intent::default(),
        until: SystemClock.now(),
        expires: SystemClock.now() + RETENTION,
    };
    let found = LiveStore::claim(&scene.table, &claim, SystemClock.now());
    assert_eq!(found.await.unwrap().place, Place::default());
}

#[tokio::test]
async fn a_key_of_which_the_queue_refuses_a_version_goes_on_there() {
    let scene = scene(LiveOrder::Exact, "v3").await;
    let reason = scene.healer.heal(&missing("v1", 1)).await.unwrap_err();
    assert!(
        reason.contains("2 events were sent") && reason.contains("not this one"),
        "{reason}"
    );
    let state = scene.state().await;
    let two = at(2);
    assert_eq!(state.sent.unwrap().effective_time, two);
    assert_eq!(state.attempt % 2, 1, "v3 may have been sent a moment ago");
}

#[tokio::test]
async fn nothing_is_sent_while_a_history_holds_what_is_live() {
    let scene = scene(LiveOrder::Exact, "").await;
    scene.stream.hold("job-1", SystemClock.now()).await.unwrap();
    let reason = scene.healer.heal(&missing("v1", 1)).await.unwrap_err();
    assert!(reason.contains("job job-1 holds"), "{reason}");
    assert!(scene.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_holds_is_waited_for_and_then_named() {
    for order in [LiveOrder::Exact, LiveOrder::Newest] {
        let scene = scene(order, "").await;
        scene.state().await; // somebody holds it now
        let reason = scene.healer.heal(&missing("v1", 1)).await.unwrap_err();
        assert!(reason.contains("another holds it"), "{reason}");
        assert!(scene.sent().is_empty());
    }
}
