//! What goes wrong again and again is told at once, and from then on once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two times that it is told.
const BETWEEN: Duration = Duration::from_mins(1);

/// When something was told, while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// It went wrong: whether that is to be told now.
    pub(crate) fn is_due(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|at| at.elapsed() >= BETWEEN);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }

    /// It went well: whether something else was told before.
    pub(crate) fn is_over(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_is_told_once_a_minute_and_at_once_when_it_begins_anew() {
        let seldom = Seldom::default();
        assert!(!seldom.is_over());
        let mut told = 0;
        for _ in 0..180 {
            told += usize::from(seldom.is_due());
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, 3);
        assert!(seldom.is_over() && !seldom.is_over());
        assert!(seldom.is_due());
    }
}
