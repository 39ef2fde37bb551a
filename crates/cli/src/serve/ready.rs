//! Whether everything that is needed answers: what `/readyz` tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_aws::signed::bucket::SignedBucket;
use bridge_core::live::stream::StreamStore;
use bridge_core::queue::port::Queue;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::watched::Versioned as _;
use bridge_history::api::hold::is_orphan;
use bridge_local::jobs::LocalJobs;
use bridge_local::live::table::LocalLive;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::serve::queue_client::NotificationQueue;
use crate::serve::work::Work;

/// The longest that one of them may take.
const ANSWER: Duration = Duration::from_secs(5);

/// For so long an answer is given again: whoever asks often does not make us ask as often.
const FRESH: Duration = Duration::from_secs(2);

/// Who is asked.
pub(crate) struct Ready {
    /// The queue of events.
    pub queue: Arc<dyn Queue>,
    /// That of notifications, if there is one.
    pub notifications: Option<NotificationQueue>,
    /// The bucket, where one is named.
    pub bucket: Option<SignedBucket>,
    /// Asks the live table.
    pub work: Arc<Work>,
    /// That of the state directory, where it is that.
    pub table: Option<LocalLive>,
    /// Who may hold live back, where both are in the state directory: what holds for all keys, and the jobs.
    pub holds: Option<(Arc<dyn StreamStore>, LocalJobs)>,
    /// The program ends.
    pub stop: CancellationToken,
    /// The last answer.
    pub last: Mutex<Option<(Instant, Answer)>>,
}

/// What each of them answered: `ok`, or what is wrong.
pub(crate) type Answer = BTreeMap<&'static str, String>;

/// What one says that answers.
const OK: &str = "ok";

/// Under this name it is told why nothing live is sent although all answer; jobs are asked about meanwhile.
const HELD: &str = "held";

/// Under this one that nothing will end that.
const ORPHAN: &str = "hold";

/// Of a bucket that nobody has named.
const NOT_ASKED: &str = "not asked: BUCKET_NAME names no single bucket";

impl Ready {
    /// Asks them all at once. Whether all is well, and what each said.
    pub(crate) async fn ask(&self) -> (bool, Answer) {
        let mut last = self.last.lock().await;
        let known = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH);
        let mut answer = if let Some((_, answer)) = known {
            answer.clone()
        } else {
            let answer = self.ask_all().await;
            *last = Some((Instant::now(), answer.clone()));
            answer
        };
        if self.stop.is_cancelled() {
            answer.insert("program", "it is ending".to_owned());
        }
        let is_well =
            |(who, said): (&&str, &String)| *who == HELD || said == OK || said == NOT_ASKED;
        let is_ready = answer.iter().all(is_well);
        (is_ready, answer)
    }

    async fn ask_all(&self) -> Answer {
        let queue = in_time(async {
            let depth = self.queue.depth().await;
            depth.map(|_| ()).map_err(|error| error.to_string())
        });
        let notifications = in_time(async {
            match &self.notifications {
                Some(queue) => {
                    let answer = queue.retention().await;
                    answer.map(|_| ()).map_err(|error| error.to_string())
                }
                None => Ok(()),
            }
        });
        let bucket = in_time(async {
            let Some(bucket) = &self.bucket else {
                return Err(NOT_ASKED.to_owned());
            };
            match bucket.versioning().await {
                Err(none) if !none.is_refused => Err(none.reason),
                // Whoever refuses has answered.
                _ => Ok(()),
            }
        });
        let mut held = None;
        let store = in_time(async {
            held = self.work.held().await?;
            match &self.table {
                // What is known of all keys is in memory: whether the disk takes anything, only a try tells.
                Some(table) => table.check().await.map_err(|error| error.to_string()),
                None => Ok(()),
            }
        });
        let (queue, notifications, bucket, store, orphan) =
            tokio::join!(queue, notifications, bucket, store, self.orphan());
        let held = held.map(|reason| (HELD, reason));
        let all = [
            ("queue", queue),
            ("notifications", notifications),
            ("bucket", bucket),
            ("liveTable", store),
        ];
        let orphan = orphan.map(|reason| (ORPHAN, reason));
        all.into_iter().chain(held).chain(orphan).collect()
    }

    /// That live waits for a job which is gone, and what lets it go on. A table that does not answer says so itself.
    async fn orphan(&self) -> Option<String> {
        let (stream, jobs) = self.holds.as_ref()?;
        let hold = stream.read().await.ok()?.hold?;
        let (owner, since) = (&hold.owner, hold.since);
        is_orphan(&hold, jobs).await.then(|| {
            format!(
                "job {owner}, for whose history live changes wait since {since}, is gone from --state, so nothing lets them \
                 go on. POST /jobs with {{\"action\":\"cancel\",\"jobId\":\"{owner}\"}} does (of a serve with \
                 --notifications-queue-url, BUCKET_NAME and OPERATOR_TOKEN)"
            )
        })
    }
}

/// `ok`, or what is wrong.
async fn in_time(ask: impl Future<Output = Result<(), String>>) -> String {
    match timeout(ANSWER, ask).await {
        Ok(Ok(())) => OK.to_owned(),
        Ok(Err(reason)) => shown(&reason, MOST_SHOWN),
        Err(_) => format!("no answer in {} s", ANSWER.as_secs()),
    }
}
