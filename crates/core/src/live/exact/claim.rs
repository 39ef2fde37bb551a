//! Keys are claimed before anything of them is read: who holds a key is alone with it. Whoever finds it held by another
//! marks it where it may, and is done; else it waits.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::forward::Delivered;
use crate::live::exact::held::Held;
use crate::live::exact::reported::Reported;
use crate::live::exact::store::KeyClaim;
use crate::live::exact::{Exact, Waiting};
use crate::live::newest::{GRACE, IN_FLIGHT, MOST_RETRY, RETENTION};
use crate::live::store::{LiveStoreError, in_time};

impl Exact<'_> {
    /// Claims the keys, and answers which are held by others and must be waited for.
    pub(super) async fn claim<'k>(
        &self,
        changes: &[Reported<'_>],
        waiting: Waiting<'k>,
        (round, left): (u32, Duration),
        random: &mut fastrand::Rng,
        delivered: &mut Delivered,
    ) -> (Vec<Held<'k>>, Waiting<'k>) {
        let now = self.clock.now();
        let bucket = changes.first().map_or("", |change| &change.event.bucket);
        let claims: Vec<_> = waiting
            .into_iter()
            .map(|(key, hints)| {
                let claim = KeyClaim {
                    key: format!("{bucket}/{key}"),
                    owner: format!("{}#{:08x}#{round}", self.request, self.owner),
                    until: now + left + GRACE,
                    expires: now + RETENTION,
                };
                let mut random = random.fork();
                let retry = self.retry(MOST_RETRY.min(left / 4));
                async move {
                    let is_unclear = AtomicBool::new(false);
                    let call = || async {
                        let answer = in_time(self.store.claim(&claim, self.clock.now())).await;
                        if matches!(answer, Err(LiveStoreError::Store { .. })) {
                            is_unclear.store(true, Relaxed);
                        }
                        answer
                    };
                    let state = retry.run(&mut random, call).await;
                    let is_marked = match &state {
                        // Who may come to hold it late must come again.
                        Err(LiveStoreError::Held)
                            if hints.may_be_handed_over() && !is_unclear.load(Relaxed) =>
                        {
                            let request = format!("{}#", self.request);
                            let mark = || (self.store).mark(&claim.key, &request, self.clock.now());
                            let call = || in_time(mark());
                            retry.run(&mut random, call).await.unwrap_or(false)
                        }
                        _ => false,
                    };
                    (
                        key,
                        claim,
                        hints,
                        state,
                        is_unclear.load(Relaxed),
                        is_marked,
                    )
                }
            })
            .collect();
        let mut claims = stream::iter(claims).buffer_unordered(IN_FLIGHT);
        let (mut held, mut busy) = (Vec::new(), Waiting::new());
        while let Some((key, claim, mut hints, state, is_unclear, is_marked)) = claims.next().await
        {
            hints
                .unclear
                .extend(is_unclear.then(|| claim.owner.clone()));
            match state {
                Ok(state) => held.push(Held::new(key, claim, state, hints)),
                Err(LiveStoreError::Held) if is_marked => delivered.handed.extend(hints.numbers()),
                Err(LiveStoreError::Held) => {
                    busy.insert(key, hints);
                }
                Err(error) => delivered.leave(hints.numbers(), &error),
            }
        }
        (held, busy)
    }
}
