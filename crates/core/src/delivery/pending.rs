//! What waits to be sent, and what the next request may hold. No I/O.

use std::collections::{HashSet, VecDeque};

use super::{EntryResult, MAX_ENTRIES, MAX_REQUEST_BYTES, Message, Mode, Refusal, RefusalKind};
use crate::mistake::Mistake;

/// How far behind its front a lane looks for messages of other groups to fill a request.
const LOOK_AHEAD: usize = 256;

/// Messages in order. What is in a request has left; what failed comes back to its old place.
#[derive(Debug, Default)]
pub struct Pending {
    mode: Mode,
    waiting: VecDeque<Message>,
    bytes: usize,
}

/// What came of a request.
#[derive(Debug, Default)]
pub struct Settled {
    /// Numbers of the messages SQS has.
    pub acknowledged: Vec<u64>,
    /// Messages that no repetition will help.
    pub rejected: Vec<(Message, Refusal)>,
    /// The worst reason for what goes back to wait.
    pub again: Option<Refusal>,
}

impl Settled {
    /// Keeps the worst reason: throttling says the least.
    fn note(&mut self, refusal: Refusal) {
        let worse = self
            .again
            .as_ref()
            .is_none_or(|worst| worst.kind == RefusalKind::Throttled);
        if worse {
            self.again = Some(refusal);
        }
    }
}

impl Pending {
    /// Nothing waits yet.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }

    /// Adds a message behind all others.
    pub fn push(&mut self, message: Message) {
        self.bytes += message.bytes();
        self.waiting.push_back(message);
    }

    /// Whether there may be more than a request holds.
    #[must_use]
    pub fn fills_a_request(&self) -> bool {
        self.waiting.len() >= MAX_ENTRIES || self.bytes >= MAX_REQUEST_BYTES
    }

    /// Messages that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next request: at most 10 entries and 1 MiB, of each group the first that waits,
    /// and in strict mode only that.
    pub fn next_request(&mut self) -> Vec<Message> {
        self.next_request_beside(HashSet::new())
    }

    /// Takes up to `most` requests that may be in flight at the same time: no group is in two of them.
    pub fn next_round(&mut self, most: usize) -> Vec<Vec<Message>> {
        let mut in_flight = HashSet::new();
        let mut round = Vec::new();
        while round.len() < most {
            let request = self.next_request_beside(in_flight.clone());
            if request.is_empty() {
                break;
            }
            in_flight.extend(request.iter().filter_map(|message| message.group.clone()));
            round.push(request);
        }
        round
    }

    /// The next request without the groups that must not be overtaken.
    fn next_request_beside(&mut self, mut passed_over: HashSet<String>) -> Vec<Message> {
        let mut request: Vec<Message> = Vec::new();
        let mut bytes = 0;
        let mut index = 0;
        while index < self.waiting.len().min(LOOK_AHEAD) && request.len() < MAX_ENTRIES {
            let message = &self.waiting[index];
            let size = message.bytes();
            let group_is_busy = message.group.as_ref().is_some_and(|group| {
                !Mistake::TwoOfAGroup.is_planted() && passed_over.contains(group)
                    || self.mode == Mode::Strict
                        && !Mistake::TwoOfAGroup.is_planted()
                        && request.iter().any(|m| m.group.as_ref() == Some(group))
            });
            let fits = request.is_empty() || bytes + size <= MAX_REQUEST_BYTES;
            if group_is_busy || !fits {
                if let Some(group) = &message.group {
                    passed_over.insert(group.clone());
                }
                index += 1;
                continue;
            }
            bytes += size;
            if let Some(message) = self.waiting.remove(index) {
                request.push(message);
            }
        }
        self.bytes -= bytes;
        request
    }

    /// Puts back what is to be sent again and tells what came of the rest.
    ///
    /// Strict: what failed goes again, a request that failed as a whole goes again as a whole;
    /// SQS's deduplication drops what had arrived. Batched: of each group everything from the
    /// first failure on, which SQS must not take for repetitions, whatever had arrived.
    pub fn settle(
        &mut self,
        request: Vec<Message>,
        answer: Result<Vec<EntryResult>, Refusal>,
    ) -> Settled {
        let results = match answer {
            Ok(results) => results,
            Err(_) if Mistake::FailedRequestForgotten.is_planted() => vec![Ok(()); request.len()],
            Err(refusal) => vec![Err(refusal); request.len()],
        };
        debug_assert_eq!(results.len(), request.len(), "one result an entry");
        let mut settled = Settled::default();
        let mut again: Vec<Message> = Vec::new();
        for (mut message, result) in request.into_iter().zip(results) {
            let is_behind_a_failure = self.mode == Mode::Batched
                && !Mistake::NoRewind.is_planted()
                && message.group.is_some()
                && again.iter().any(|failed| failed.group == message.group);
            match result {
                Ok(()) if !is_behind_a_failure => {
                    settled.acknowledged.push(message.number);
                    continue;
                }
                Ok(()) => {}
                Err(_) if Mistake::FailedEntryForgotten.is_planted() => {
                    settled.acknowledged.push(message.number);
                    continue;
                }
                Err(refusal) if refusal.kind == RefusalKind::Rejected => {
                    settled.rejected.push((message, refusal));
                    continue;
                }
                Err(refusal) => settled.note(refusal),
            }
            if self.mode == Mode::Batched && !Mistake::RewindWithOldId.is_planted() {
                message.attempt += 1;
            }
            again.push(message);
        }
        // Last first, so that pushing to the front restores the order.
        for message in again.into_iter().rev() {
            self.bytes += message.bytes();
            self.waiting.push_front(message);
        }
        settled
    }

    /// Takes out all messages of `group`.
    pub fn take_group(&mut self, group: &str) -> Vec<Message> {
        let (taken, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|m| m.group.as_deref() == Some(group));
        self.waiting = kept.into();
        self.bytes -= taken.iter().map(Message::bytes).sum::<usize>();
        taken
    }

    /// Takes out everything.
    pub fn drain(&mut self) -> Vec<Message> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(number: u64, group: u8, bytes: usize) -> Message {
        Message {
            number,
            body: "x".repeat(bytes),
            group: Some(group.to_string()),
            deduplication_id: Some(number.to_string()),
            events: 1,
            attempt: 0,
            attributes: vec![],
        }
    }

    fn refusal(kind: RefusalKind) -> Refusal {
        Refusal {
            kind,
            code: "Code".to_owned(),
            message: String::new(),
        }
    }

    #[test]
    fn a_request_holds_ten_entries_and_one_mebibyte() {
        let mut pending = Pending::default();
        for number in 0..12 {
            pending.push(message(number, u8::try_from(number).unwrap(), 1));
        }
        assert_eq!(pending.next_request().len(), 10);

        let mut pending = Pending::default();
        for number in 0..3 {
            pending.push(message(number, u8::try_from(number).unwrap(), 500 * 1024));
        }
        assert_eq!(pending.next_request().len(), 2);
    }

    #[test]
    fn a_large_message_is_not_overtaken_by_its_own_group() {
        let mut pending = Pending::default();
        pending.push(message(0, 0, 900 * 1024));
        pending.push(message(1, 1, 900 * 1024));
        pending.push(message(2, 1, 1));
        pending.push(message(3, 2, 1));
        let numbers: Vec<_> = pending.next_request().iter().map(|m| m.number).collect();
        assert_eq!(numbers, [0, 3]);
    }

    proptest! {
        /// Whatever fails, each group arrives in order, nothing is lost, nothing twice.
        #[test]
        fn groups_keep_their_order_whatever_fails(
            groups in prop::collection::vec(0u8..6, 1..80), faults in prop::collection::vec(0u8..4, 400)
        ) {
            let mut pending = Pending::default();
            for (number, group) in groups.iter().enumerate() {
                pending.push(message(number as u64, *group, 1));
            }
            let mut faults = faults.into_iter();
            let mut arrived: Vec<u64> = vec![];
            while !pending.is_empty() {
                let request = pending.next_request();
                let in_request: HashSet<_> = request.iter().map(|m| m.group.clone()).collect();
                prop_assert_eq!(in_request.len(), request.len(), "two of one group");
                // The request fails as a whole, or entry by entry, until the faults run out.
                let answer = if faults.next() == Some(0) {
                    Err(refusal(RefusalKind::Throttled))
                } else {
                    Ok(request.iter().map(|m| if faults.next() == Some(1) {
                        Err(refusal(RefusalKind::Unavailable))
                    } else {
                        arrived.push(m.number);
                        Ok(())
                    }).collect())
                };
                pending.settle(request, answer);
            }
            for group in 0..6 {
                let of_group: Vec<_> =
                    arrived.iter().filter(|n| groups[usize::try_from(**n).unwrap()] == group).collect();
                prop_assert!(of_group.is_sorted());
            }
            arrived.sort_unstable();
            prop_assert_eq!(arrived, (0..groups.len() as u64).collect::<Vec<_>>());
        }

        /// Batched, a queue that drops repetitions sees of each group a stream in which every
        /// message is there, and the first of each comes in order: rewinds, never gaps.
        #[test]
        fn batched_groups_rewind_and_have_no_gaps(
            groups in prop::collection::vec(0u8..4, 1..60), faults in prop::collection::vec(0u8..5, 400)
        ) {
            let mut pending = Pending::new(Mode::Batched);
            for (number, group) in groups.iter().enumerate() {
                pending.push(message(number as u64, *group, 1));
            }
            let mut faults = faults.into_iter();
            let mut ids = HashSet::new();
            let mut arrived: Vec<u64> = vec![];
            let mut take = |message: &Message| {
                if ids.insert(message.id_of_attempt().unwrap().into_owned()) {
                    arrived.push(message.number);
                }
            };
            let mut acknowledged = HashSet::new();
            while !pending.is_empty() {
                let request = pending.next_request();
                prop_assert!(request.len() <= MAX_ENTRIES);
                let answer = match faults.next() {
                    Some(0) => {
                        // Some arrive, and the answer is lost.
                        request.iter().filter(|_| faults.next() == Some(1)).for_each(&mut take);
                        Err(refusal(RefusalKind::Unavailable))
                    }
                    _ => Ok(request.iter().map(|m| if faults.next() == Some(1) {
                        Err(refusal(RefusalKind::Unavailable))
                    } else {
                        take(m);
                        Ok(())
                    }).collect()),
                };
                let settled = pending.settle(request, answer);
                acknowledged.extend(settled.acknowledged);
            }
            prop_assert_eq!(acknowledged.len(), groups.len());
            for group in 0..4 {
                let of_group: Vec<u64> = arrived.iter().copied()
                    .filter(|n| groups[usize::try_from(*n).unwrap()] == group).collect();
                // A consumer that keeps the highest sequence it has seen misses nothing: each
                // message is either the next one, or one it has seen.
                let expected: Vec<u64> = (0..groups.len() as u64)
                    .filter(|n| groups[usize::try_from(*n).unwrap()] == group).collect();
                let mut next = 0;
                let mut must_be = 0;
                for number in of_group {
                    let index = expected.iter().position(|n| *n == number).unwrap();
                    must_be = must_be.max(index + 1);
                    if index == next { next += 1; }
                }
                prop_assert_eq!(must_be, expected.len());
                prop_assert_eq!(next, expected.len(), "the consumer that reads in order gets all");
            }
        }
    }
}
