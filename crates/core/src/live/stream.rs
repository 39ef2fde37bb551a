//! Port: what holds for all keys of a stack's stream (docs/ARCHITECTURE.md, "Live order").

use std::str::FromStr;

use async_trait::async_trait;

use crate::live::store::LiveStoreError;
use crate::timestamp::Timestamp;

/// What realtime does about notifications that come late, swapped or twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveOrder {
    /// What comes is sent.
    Notified,
    /// What is older than a change of its key that was sent is not.
    Newest,
    /// What is sent is read from the bucket.
    Exact,
}

impl LiveOrder {
    /// The word in `LIVE_ORDER`, and in the live table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notified => "notified",
            Self::Newest => "newest",
            Self::Exact => "exact",
        }
    }
}

impl FromStr for LiveOrder {
    type Err = &'static str;

    /// # Errors
    /// What would have been allowed.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "notified" => Ok(Self::Notified),
            "newest" => Ok(Self::Newest),
            "exact" => Ok(Self::Exact),
            _ => Err("notified, newest or exact"),
        }
    }
}

/// What holds for all keys of a stream. Nothing of it expires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// While it stands, nothing live is sent.
    pub hold: Option<Hold>,
    /// Changes whose effective time is not before it are this stream's, in order; those before it have been
    /// sent by a reseed, or before `exact` began.
    pub boundary: Option<Timestamp>,
    /// The `until` of the last reseed that was followed by live: changes before it were in its plan. `None`
    /// where there was none; not where `exact` began.
    pub covered: Option<Timestamp>,
    /// The same of changes that are dated back, where it is earlier ([`HistoryEnd::dated_back`]).
    pub covered_dated_back: Option<Timestamp>,
    /// One higher with each boundary. A key's item of an older generation counts as none.
    pub generation: u64,
    /// As what the stream was sent last; `None` where nothing live was sent since it began, or since its history
    /// ended.
    pub order: Option<LiveOrder>,
}

/// Why nothing live is sent: the queue gets its history first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who alone may release it: a job's id.
    pub owner: String,
    /// Since when.
    pub since: Timestamp,
}

/// Where the history ended that a hold was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryEnd {
    /// Changes before it were in the plan; those that are not are the stream's.
    pub until: Timestamp,
    /// The same of changes whose version may be listed with an older time than that of its coming (uploads in
    /// parts, a lifecycle rule's markers), where it is earlier: a pass that does not begin with the bucket
    /// leaves out what is dated before it, whenever that came.
    pub dated_back: Option<Timestamp>,
}

/// The rules of the port's writes, for adapters that can read and write it in one step.
impl Stream {
    /// As [`StreamStore::begin`].
    pub fn begin(&mut self, order: LiveOrder, boundary: Timestamp) {
        if self.order.replace(order) != Some(order) && order == LiveOrder::Exact {
            self.boundary = Some(boundary);
            self.generation += 1;
        }
    }

    /// As [`StreamStore::hold`].
    ///
    /// # Errors
    /// [`LiveStoreError::Held`]
    pub fn hold_for(&mut self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError> {
        let hold = self.hold.get_or_insert_with(|| Hold {
            owner: owner.to_owned(),
            since,
        });
        if hold.owner == owner {
            Ok(())
        } else {
            Err(LiveStoreError::Held)
        }
    }

    /// As [`StreamStore::release`].
    pub fn release(&mut self, owner: &str, end: Option<HistoryEnd>) {
        let released = self.hold.take_if(|hold| hold.owner == owner);
        if let (Some(_), Some(end)) = (released, end) {
            self.boundary = Some(end.until);
            self.covered = Some(end.until);
            self.covered_dated_back = end.dated_back;
            self.generation += 1;
            self.order = None;
        }
    }
}

/// Port: the one item that all keys share. Every write is one conditional update.
#[async_trait]
pub trait StreamStore: Send + Sync {
    /// Reads it, consistently: what was written before is seen.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn read(&self) -> Result<Stream, LiveStoreError>;

    /// From now on the stream is sent as `order`. Where it was sent otherwise before, `exact` begins with
    /// `boundary` and a new generation. Answers what holds then; repeated, it changes nothing.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn begin(&self, order: LiveOrder, boundary: Timestamp) -> Result<Stream, LiveStoreError>;

    /// Nothing live is sent until `owner` releases it. Repeated by the same owner, it keeps its first `since`.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`] when another owner holds it; [`LiveStoreError::Store`].
    async fn hold(&self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError>;

    /// Ends the owner's hold. With a history's end, what is before it is [`covered`](Stream::covered), a new
    /// generation begins there, and the [`order`](Stream::order) is forgotten, so that whatever order is sent
    /// next begins there too, all in the same write. Without one the stream goes on from where it was. Where the
    /// owner holds nothing (a repeated call), nothing changes.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn release(&self, owner: &str, end: Option<HistoryEnd>) -> Result<(), LiveStoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: HistoryEnd = HistoryEnd {
        until: Timestamp(7),
        dated_back: Some(Timestamp(5)),
    };

    #[test]
    fn exact_begins_anew_only_where_the_stream_was_sent_otherwise() {
        let mut stream = Stream::default();
        let mut begin = |order, boundary| {
            stream.begin(order, Timestamp(boundary));
            (stream.boundary, stream.generation)
        };
        assert_eq!(begin(LiveOrder::Newest, 1), (None, 0));
        assert_eq!(begin(LiveOrder::Exact, 2), (Some(Timestamp(2)), 1));
        assert_eq!(begin(LiveOrder::Exact, 3), (Some(Timestamp(2)), 1));
        assert_eq!(begin(LiveOrder::Notified, 4), (Some(Timestamp(2)), 1));
        assert_eq!(begin(LiveOrder::Exact, 5), (Some(Timestamp(5)), 2));
    }

    #[test]
    fn a_hold_is_its_first_owners_who_alone_releases_it_and_once() {
        let mut stream = Stream::default();
        stream.begin(LiveOrder::Exact, Timestamp(1));
        stream.hold_for("a", Timestamp(2)).unwrap();
        stream.hold_for("a", Timestamp(3)).unwrap();
        let other = stream.hold_for("b", Timestamp(4));
        assert!(matches!(other, Err(LiveStoreError::Held)));
        let held = stream.clone();
        assert_eq!(held.hold.as_ref().unwrap().since, Timestamp(2));
        stream.release("b", Some(END));
        assert_eq!(stream, held);
        stream.release("a", Some(END));
        let ended = Stream {
            hold: None,
            boundary: Some(END.until),
            covered: Some(END.until),
            covered_dated_back: END.dated_back,
            generation: 2,
            order: None,
        };
        assert_eq!(stream, ended);
        stream.release("a", Some(END));
        assert_eq!(stream, ended, "repeated");
        stream.hold_for("c", Timestamp(9)).unwrap();
        stream.release("c", None);
        assert_eq!(stream, ended, "it goes on from its own place");
    }
}
