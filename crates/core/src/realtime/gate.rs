//! Whether anything live may be sent now: while the queue gets its history, nothing is (docs/OPERATIONS.md,
//! "History, then live").

use std::time::Duration;

use crate::clock::SystemClock;
use crate::live::hold::look;
use crate::live::stream::{LiveOrder, Stream, StreamStore};
use crate::text::brief;
use metrics::counter;

/// How long a health check may ask the table.
pub(super) const HEALTH_BUDGET: Duration = Duration::from_secs(4);

/// Asked before anything is sent.
pub enum Gate {
    /// Without a live table nobody can hold anything.
    Open,
    /// What the live table says.
    Of {
        /// The table.
        store: Box<dyn StreamStore>,
        /// As what the stream is sent.
        order: LiveOrder,
    },
}

impl Gate {
    /// A stream that is sent as `order`.
    #[must_use]
    pub fn by(store: Box<dyn StreamStore>, order: LiveOrder) -> Self {
        Self::Of { store, order }
    }

    /// What holds for all keys, within part of `budget`.
    ///
    /// # Errors
    /// Why nothing may be sent.
    pub async fn look(&self, budget: Duration) -> Result<Stream, String> {
        let stream = self.ask(budget).await?;
        match held(&stream) {
            None => Ok(stream),
            Some(reason) => Err(reason),
        }
    }

    /// The same, also while nothing may be sent.
    ///
    /// # Errors
    /// Why the table does not tell.
    pub(super) async fn ask(&self, budget: Duration) -> Result<Stream, String> {
        let Self::Of { store, order } = self else {
            return Ok(Stream::default());
        };
        let mut random = fastrand::Rng::new();
        let stream = look(&**store, *order, &SystemClock, budget, &mut random).await;
        stream.map_err(|error| error.to_string())
    }
}

/// Why nothing may be sent, where it may not.
pub(super) fn held(stream: &Stream) -> Option<String> {
    let hold = stream.hold.as_ref()?;
    Some(format!(
        "the queue gets its history first, since {} by job {}",
        hold.since, hold.owner
    ))
}

/// Tells that all of it comes again.
pub(super) fn tell_held(events: usize, reason: &str) {
    tracing::warn!(reason = brief(reason), events, "nothing is sent");
    counter!("EventsHeld").increment(events as u64);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::failure::FailureKind;
    use crate::live::store::LiveStoreError;
    use crate::live::stream::{HistoryEnd, Hold};
    use crate::timestamp::Timestamp;
    use async_trait::async_trait;

    use super::*;

    /// What a table answers, call after call; the last one for ever.
    struct Answers(Mutex<Vec<Result<Stream, LiveStoreError>>>);

    #[async_trait]
    impl StreamStore for Answers {
        async fn read(&self) -> Result<Stream, LiveStoreError> {
            let mut answers = self.0.lock().unwrap();
            if answers.len() == 1 {
                return answers[0].clone();
            }
            answers.remove(0)
        }

        async fn begin(&self, order: LiveOrder, _: Timestamp) -> Result<Stream, LiveStoreError> {
            let stream = self.0.lock().unwrap()[0].clone()?;
            Ok(Stream {
                order: Some(order),
                ..stream
            })
        }

        async fn hold(&self, _: &str, _: Timestamp) -> Result<(), LiveStoreError> {
            panic!("not of an invocation")
        }

        async fn release(&self, _: &str, _: Option<HistoryEnd>) -> Result<(), LiveStoreError> {
            panic!("not of an invocation")
        }
    }

    async fn looked(answers: Vec<Result<Stream, LiveStoreError>>) -> Result<Stream, String> {
        let gate = Gate::by(Box::new(Answers(Mutex::new(answers))), LiveOrder::Newest);
        gate.look(Duration::from_secs(10)).await
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_answer_without_a_hold_lets_anything_through() {
        let fault = || {
            Err(LiveStoreError::Store {
                reason: "no network".to_owned(),
                kind: FailureKind::Transient,
            })
        };
        let free = Stream {
            order: Some(LiveOrder::Newest),
            ..Stream::default()
        };
        let held = Stream {
            hold: Some(Hold {
                owner: "20240501-1a2b3c4d-1".to_owned(),
                since: Timestamp(0),
            }),
            ..free.clone()
        };
        assert_eq!(looked(vec![Ok(free.clone())]).await, Ok(free.clone()));
        let begun = looked(vec![Ok(Stream::default())]).await;
        assert_eq!(begun, Ok(free.clone()), "its order is written down");
        assert_eq!(looked(vec![fault(), Ok(free.clone())]).await, Ok(free));
        let error = looked(vec![fault()]).await.unwrap_err();
        assert!(error.contains("no network"), "{error}");
        let error = looked(vec![fault(), Ok(held)]).await.unwrap_err();
        for part in ["20240501-1a2b3c4d-1", "1970-01-01T00:00:00.000Z"] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}
