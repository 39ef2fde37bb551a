//! How long a change takes to its message: a figure, which no test asserts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use futures_util::future::try_join_all;

use crate::{Received, Stack};

/// From the answer to a put until its message is in the queue, ms, the shortest first. By the queue's own
/// `SentTimestamp` and this machine's clock, which is the emulator's: a consumer that asks a queue of the
/// emulator is answered only every tenth of a second.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<i64>);

impl Latencies {
    /// Changes the keys `rounds` times, all at the same time, each again once all of a round have come. A
    /// first round, in which functions start, is not counted.
    ///
    /// # Errors
    /// When a change does not come within `timeout`; the services'.
    pub async fn measure(
        stack: &Stack,
        keys: &[String],
        rounds: usize,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for round in 0..=rounds {
            let of_round = Self::of_round(stack, keys, timeout).await?;
            if round > 0 {
                all.extend(of_round);
            }
        }
        all.sort_unstable();
        Ok(Self(all))
    }

    async fn of_round(
        stack: &Stack,
        keys: &[String],
        timeout: Duration,
    ) -> anyhow::Result<Vec<i64>> {
        let puts = keys.iter().map(|key| async move {
            let version = stack.put(key, "1").await?;
            anyhow::Ok((version, SystemTime::now()))
        });
        let mut answered: BTreeMap<String, SystemTime> =
            try_join_all(puts).await?.into_iter().collect();
        let mut latencies = Vec::new();
        while !answered.is_empty() {
            let ours = |message: &Received| answered.contains_key(message.text("versionId"));
            let url = stack.output("QueueUrl");
            let come = stack.receive(url, 1, timeout, ours).await?;
            ensure!(!come.is_empty(), "these never came: {answered:?}");
            for message in come {
                // One that comes twice counts once.
                if let Some(at) = answered.remove(message.text("versionId")) {
                    let at = i64::try_from(at.duration_since(UNIX_EPOCH)?.as_millis())?;
                    latencies.push((message.sent_at - at).max(0));
                }
            }
        }
        Ok(latencies)
    }

    /// The shortest that `percent` of them do not exceed.
    fn percentile(&self, percent: usize) -> i64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "median {} ms, 95th percentile {} ms of {} changes",
            self.percentile(50),
            self.percentile(95),
            self.0.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_shortest_that_so_many_do_not_exceed() {
        let told = |all: Vec<i64>| Latencies(all).to_string();
        assert_eq!(
            told((1..=20).collect()),
            "median 10 ms, 95th percentile 19 ms of 20 changes"
        );
        assert_eq!(
            told(vec![7]),
            "median 7 ms, 95th percentile 7 ms of 1 changes"
        );
        assert_eq!(
            told(vec![]),
            "median 0 ms, 95th percentile 0 ms of 0 changes"
        );
    }
}
