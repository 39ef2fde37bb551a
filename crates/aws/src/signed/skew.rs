//! How far this machine's clock is off, learned from a service that refuses its signatures.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::signed::answer::{Answer, Refusal};

/// What a signature's time may be off before it is the reason of a refusal. The services take five minutes.
const MOST: u64 = 60;

/// What is added to this machine's clock, seconds.
#[derive(Debug, Default)]
pub(super) struct Skew(AtomicI64);

impl Skew {
    /// The service's time, as far as is known.
    pub(super) fn corrected(&self, now: SystemTime) -> SystemTime {
        let seconds = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(seconds.unsigned_abs());
        let corrected = if seconds < 0 {
            now.checked_sub(by)
        } else {
            now.checked_add(by)
        };
        corrected.unwrap_or(now)
    }

    /// Whether a request that was signed at `signed_at` was refused for that time. If so, the next is signed by
    /// the service's clock.
    ///
    /// The answer's date alone is not believed: a proxy's may be wrong, and no harm is done while signatures are taken.
    pub(super) fn learn(
        &self,
        refusal: &Refusal,
        answer: &Answer,
        signed_at: SystemTime,
        now: SystemTime,
    ) -> bool {
        let date = answer.date.as_deref().filter(|_| refusal.is_of_time());
        let date = date.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok());
        let (Some(there), Some(signed), Some(here)) = (
            date.map(|date| date.secs()),
            seconds(signed_at),
            seconds(now),
        ) else {
            return false;
        };
        if there.abs_diff(signed) < MOST {
            return false;
        }
        let off = there.saturating_sub(here);
        self.0.store(off, Ordering::Relaxed);
        tracing::warn!(
            seconds = off,
            "this machine's clock is off; requests are signed by the service's"
        );
        true
    }
}

fn seconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
