//! One key, healed under its claim in the live table: nothing live of it is sent meanwhile, and what is sent goes up to
//! the newest version that the bucket has then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::forward::deliver;
use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::lister::Lister;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::live::exact::read::{Wanted, read};
use bridge_core::live::exact::run::{Listed, Run, after};
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore, OPERATOR};
use bridge_core::live::exact::version::Version;
use bridge_core::live::newest::{GRACE, RETENTION};
use bridge_core::live::place::{Intent, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::live::stream::{LiveOrder, Stream, StreamStore};
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::port::Queue;
use bridge_core::retry::{Backoff, Retry};
use bridge_core::timestamp::Timestamp;
use bridge_history::scan::filter::Events;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Messages that are sent before the claim is renewed, and the longest that they may take.
const MOST_SENT: usize = 500;
const SENDING: Duration = Duration::from_mins(1);

/// How long a claim lasts: nothing that is sent under it arrives later.
const CLAIM: Duration = Duration::from_mins(2);

/// How long a key is waited for that another holds. One that lives is done within milliseconds.
const BUSY: Duration = Duration::from_secs(20);

/// How long a table or a bucket that fails is tried.
const FAILING: Duration = Duration::from_secs(10);

/// The longest between two looks at a key that another holds.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// Heals keys of one bucket.
pub(super) struct Healer {
    pub(super) bucket: String,
    /// Different for each comparison.
    pub(super) id: String,
    pub(super) keys: Arc<dyn KeyStore>,
    pub(super) places: Arc<dyn LiveStore>,
    pub(super) stream: Arc<dyn StreamStore>,
    pub(super) lister: Arc<dyn Lister>,
    pub(super) dialect: Dialect,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) writer: Writer,
    /// Which changes are sent.
    pub(super) kinds: Events,
    /// Messages so far: their deduplication ids are numbered.
    pub(super) numbers: AtomicU64,
}

/// A key that is held.
enum Held {
    Exact(KeyClaim, Box<KeyState>),
    Newest(Claim, u64, Place),
}

/// What came of sending.
struct Sent {
    /// Versions that the queue has, from the first on.
    confirmed: usize,
    /// More may arrive.
    is_unclear: bool,
    /// Why not all.
    reason: Option<String>,
}

impl Healer {
    /// Sends a key from a version on that is missing, or what has become of it. Answers how many events were sent.
    ///
    /// # Errors
    /// Why it is not healed, or not wholly.
    pub(super) async fn heal(&self, missing: &PlannedVersion) -> Result<u64, String> {
        let key = missing.version.key.as_str();
        let mut random = fastrand::Rng::new();
        let (mut held, stream) = self.hold(key, &mut random).await?;
        let listed = match self.list(key, &held, &mut random).await {
            Ok(listed) => listed,
            Err(reason) => {
                self.give_back(held, None, &mut random).await?;
                return Err(reason);
            }
        };
        let first = first_of(&listed, missing);
        let messages = self.messages(key, &listed.versions[first..]);
        let sent = self.send(messages, &mut held, &mut random).await;
        let run = Run {
            places: (first..listed.versions.len()).collect(),
            ..Run::default()
        };
        if sent.is_unclear {
            // It ends by itself, when nothing of it can arrive any more.
        } else {
            let place = (self.kinds == Events::All).then_some((&listed, run, &sent, &stream));
            self.give_back(held, place, &mut random).await?;
        }
        match sent.reason {
            None => Ok(sent.confirmed as u64),
            Some(reason) => Err(format!(
                "{} events were sent, then: {reason}",
                sent.confirmed
            )),
        }
    }

    /// Claims a key, and waits for it if another holds it.
    async fn hold(&self, key: &str, random: &mut fastrand::Rng) -> Result<(Held, Stream), String> {
        let end = Instant::now() + BUSY;
        let name = format!("{}/{key}", self.bucket);
        let owner = format!("{OPERATOR}verify-{}#{:08x}", self.id, random.u32(..));
        let mut rounds = 0;
        loop {
            let retry = retry();
            let read = retry.run(random, || self.stream.read()).await;
            let stream = read.map_err(|error| error.to_string())?;
            if let Some(hold) = &stream.hold {
                let owner = &hold.owner;
                return Err(format!(
                    "job {owner} holds what is live: heal when it is done"
                ));
            }
            let now = SystemClock.now();
            let (until, expires) = (now + CLAIM + GRACE, now + RETENTION);
            let claimed = if stream.order == Some(LiveOrder::Exact) {
                let claim = KeyClaim {
                    key: name.clone(),
                    owner: owner.clone(),
                    until,
                    expires,
                };
                let state = retry.run(random, || self.keys.claim(&claim, now)).await;
                state.map(|state| Held::Exact(claim, Box::new(state)))
            } else {
                let claim = Claim {
                    key: name.clone(),
                    owner: owner.clone(),
                    intent: Intent::default(),
                    until,
                    expires,
                };
                let found = retry.run(random, || self.places.claim(&claim, now)).await;
                found.map(|found| Held::Newest(claim, found.revision, found.place))
            };
            match claimed {
                Ok(held) => return Ok((held, stream)),
                Err(LiveStoreError::Held) if Instant::now() < end => {}
                Err(LiveStoreError::Held) => {
                    let seconds = BUSY.as_secs();
                    return Err(format!(
                        "another holds it in the live table, for {seconds} s and more"
                    ));
                }
                Err(error) => return Err(error.to_string()),
            }
            rounds += 1;
            sleep(Backoff::default().wait(rounds, random).min(MOST_PAUSE)).await;
        }
    }

    /// The key as the bucket has it now, oldest first.
    async fn list(
        &self,
        key: &str,
        held: &Held,
        random: &mut fastrand::Rng,
    ) -> Result<Listed, String> {
        let skipped = match held {
            Held::Exact(_, state) => {
                if let Some(stopped) = &state.stopped {
                    let reason = &stopped.reason;
                    return Err(format!(
                        "it is stopped until an operator lets it go on: {reason}"
                    ));
                }
                &state.skipped[..]
            }
            Held::Newest(..) => &[],
        };
        let all = Wanted {
            sent: None,
            since: Timestamp(i64::MIN),
            ids: &[],
            begun: None,
            dialect: self.dialect,
        };
        let requests = AtomicU64::new(0);
        let call = || read(&*self.lister, key, all, &requests);
        let listed = retry().run(random, call).await;
        let mut listed = listed.map_err(|error| error.to_string())?;
        (listed.versions).retain(|version| !skipped.contains(&version.identity()));
        Ok(listed)
    }

    fn messages(&self, key: &str, versions: &[Version]) -> Vec<Message> {
        let is_asked = |version: &&Version| match self.kinds {
            Events::All => true,
            Events::Created => !version.is_delete_marker,
            Events::Removed => version.is_delete_marker,
        };
        let messages = versions.iter().filter(is_asked).map(|version| {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let event = version.event(&self.bucket, key);
            let mut message = self.writer.message(&event, number);
            // What was sent live a moment ago must not be taken for it.
            let id = message.deduplication_id.as_mut();
            if let Some(id) = id {
                *id = format!("{}:{number}", self.id);
            }
            message
        });
        messages.collect()
    }

    /// Sends in order, and claims the key again in between.
    async fn send(
        &self,
        messages: Vec<Message>,
        held: &mut Held,
        random: &mut fastrand::Rng,
    ) -> Sent {
        let mut sent = Sent {
            confirmed: 0,
            is_unclear: false,
            reason: None,
        };
        for (turn, some) in messages.chunks(MOST_SENT).enumerate() {
            if turn > 0
                && let Err(error) = self.renew(held, random).await
            {
                sent.reason = Some(error.to_string());
                sent.is_unclear = true;
                return sent;
            }
            let (queue, backoff) = (&*self.queue, Backoff::default());
            let done = deliver(queue, some.to_vec(), backoff, SENDING, random).await;
            sent.confirmed += some.len() - done.leftover.len();
            if let Some(left) = done.leftover.first() {
                sent.reason = Some(left.refusal.to_string());
                sent.is_unclear = done.leftover.iter().any(|left| left.may_have_arrived);
                return sent;
            }
        }
        sent
    }

    async fn renew(
        &self,
        held: &mut Held,
        random: &mut fastrand::Rng,
    ) -> Result<(), LiveStoreError> {
        let now = SystemClock.now();
        match held {
            Held::Exact(claim, state) => {
                claim.until = now + CLAIM + GRACE;
                let again = retry().run(random, || self.keys.claim(claim, now)).await?;
                state.revision = again.revision;
            }
            Held::Newest(claim, revision, _) => {
                claim.until = now + CLAIM + GRACE;
                let again = retry()
                    .run(random, || self.places.claim(claim, now))
                    .await?;
                *revision = again.revision;
            }
        }
        Ok(())
    }

    /// Gives a key back: with `exact`, live goes on behind what was sent.
    async fn give_back(
        &self,
        held: Held,
        sent: Option<(&Listed, Run, &Sent, &Stream)>,
        random: &mut fastrand::Rng,
    ) -> Result<(), String> {
        let expires = SystemClock.now() + RETENTION;
        let answer = match held {
            Held::Exact(claim, state) => {
                let done = KeyReturn {
                    key: claim.key,
                    owner: claim.owner,
                    state: state_after(*state, sent),
                    ends: true,
                    expires,
                };
                let call = || async { self.keys.give_back(&done).await.map(|_| ()) };
                retry().run(random, call).await
            }
            Held::Newest(claim, revision, place) => {
                let done = Return {
                    key: claim.key,
                    owner: claim.owner,
                    revision,
                    place,
                    expires,
                };
                retry().run(random, || self.places.give_back(&done)).await
            }
        };
        match answer {
            // It was given back before, and that answer was lost.
            Ok(()) | Err(LiveStoreError::Held) => Ok(()),
            Err(error) => Err(format!(
                "it was sent, but its claim is not given back: {error}"
            )),
        }
    }
}

/// Where what is missing stands, or what came behind it if it is gone.
fn first_of(listed: &Listed, missing: &PlannedVersion) -> usize {
    let versions = &listed.versions;
    let is_it = |version: &Version| {
        version.id == missing.version.version_id
            && version.last_modified == missing.version.last_modified
    };
    let is_behind = |version: &Version| version.effective_time >= missing.effective_time;
    let first = versions.iter().position(is_it);
    let first = first.or_else(|| versions.iter().position(is_behind));
    first.unwrap_or(versions.len())
}

/// The key's state from now on. What the holder before has sent may be in the queue: that is not forgotten.
fn state_after(state: KeyState, sent: Option<(&Listed, Run, &Sent, &Stream)>) -> KeyState {
    let mut next = KeyState {
        attempt: state.attempt_of_claim(),
        was_left: false,
        ..state
    };
    if let Some((listed, run, sent, stream)) = sent
        && sent.confirmed > 0
    {
        let before = next
            .sent
            .take()
            .filter(|_| next.generation >= stream.generation);
        next.sent = after(listed, before, &run, sent.confirmed);
        next.generation = next.generation.max(stream.generation);
        if sent.reason.is_some() {
            // Live goes on there, with what it has sent before.
            next.attempt = next.fresh_attempt(1);
        }
    }
    next
}

fn retry() -> Retry {
    Retry {
        backoff: Backoff::default(),
        retry_timeout: FAILING,
        stop: CancellationToken::new(),
    }
}

#[cfg(test)]
mod tests;
