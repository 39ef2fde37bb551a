//! What waits to be sent, and what the next request may hold. No I/O.

use std::collections::{HashSet, VecDeque};

use crate::failure::FailureKind;
use crate::queue::error::SendError;
use crate::queue::message::Message;
use crate::queue::ordering::Mode;
use crate::queue::port::{EntryResult, MAX_ENTRIES, MAX_REQUEST_BYTES};
use crate::queue::undeliverable::apart;

/// How far behind its front a lane looks for messages of other groups to fill a request.
const LOOK_AHEAD: usize = 256;

/// Messages in order. What is in a request has left; what failed comes back to its old place.
#[derive(Debug, Default)]
pub struct Pending {
    mode: Mode,
    waiting: VecDeque<Message>,
    bytes: usize,
    /// Numbers of messages that were in a request which SQS refused as a whole: each goes by itself,
    /// so that the one at fault is known and the others get through.
    suspects: HashSet<u64>,
}

/// What came of a request.
#[derive(Debug, Default)]
pub struct Settled {
    /// Numbers of the messages SQS has.
    pub acknowledged: Vec<u64>,
    /// Messages that no repetition will help.
    pub rejected: Vec<(Message, SendError)>,
    /// Numbers of messages of several events, one of which no repetition will help, and into how many
    /// of one event each they were taken apart: these wait in their place, so that the one at fault
    /// is found.
    pub taken_apart: Vec<(u64, usize)>,
    /// The worst reason for what goes back to wait.
    pub again: Option<SendError>,
}

impl Settled {
    /// Keeps the worst reason: throttling says the least.
    fn note(&mut self, refusal: SendError) {
        let worse = self
            .again
            .as_ref()
            .is_none_or(|worst| worst.kind == FailureKind::Throttled);
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

    /// Adds a message behind all others, which goes alone when its turn comes.
    pub fn push_suspect(&mut self, message: Message) {
        self.suspects.insert(message.number);
        self.push(message);
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

    /// Whether a request that was refused as a whole is still being sent one by one.
    #[must_use]
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Takes the next request: at most 10 entries and 1 MiB, of each group the first that waits,
    /// and in strict mode only that. A suspect goes alone.
    pub fn next_request(&mut self) -> Vec<Message> {
        self.next_request_beside(&HashSet::new())
    }

    /// The next request, of groups that are not `busy`: those of requests in flight, which must not be overtaken.
    pub fn next_request_beside(&mut self, busy: &HashSet<String>) -> Vec<Message> {
        let mut passed_over: HashSet<String> = HashSet::new();
        let mut request: Vec<Message> = Vec::new();
        let mut bytes = 0;
        let mut index = 0;
        while index < self.waiting.len().min(LOOK_AHEAD) && request.len() < MAX_ENTRIES {
            let message = &self.waiting[index];
            let size = message.bytes();
            let group_is_busy = message.group.as_ref().is_some_and(|group| {
                busy.contains(group)
                    || passed_over.contains(group)
                    || self.mode == Mode::Strict
                        && request.iter().any(|m| m.group.as_ref() == Some(group))
            });
            let fits = bytes + size <= MAX_REQUEST_BYTES && !self.is_suspect(message);
            if group_is_busy || !(request.is_empty() || fits) {
                if let Some(group) = &message.group {
                    passed_over.insert(group.clone());
                }
                index += 1;
                continue;
            }
            bytes += size;
            let goes_alone = self.is_suspect(message);
            if let Some(message) = self.waiting.remove(index) {
                request.push(message);
            }
            if goes_alone {
                break;
            }
        }
        self.bytes -= bytes;
        request
    }

    fn is_suspect(&self, message: &Message) -> bool {
        self.suspects.contains(&message.number)
    }

    /// Puts back what is to be sent again and tells what came of the rest.
    ///
    /// A request that was rejected as a whole tells nothing of its messages: they go again one by
    /// one, at once, and what is then rejected is at fault.
    ///
    /// Strict: what failed goes again, a request that failed as a whole goes again as a whole;
    /// SQS's deduplication drops what had arrived. Batched: of each group everything from the
    /// first failure on, which SQS must not take for repetitions, whatever had arrived.
    pub fn settle(
        &mut self,
        request: Vec<Message>,
        answer: Result<Vec<EntryResult>, SendError>,
    ) -> Settled {
        let results = match answer {
            Ok(results) => results,
            Err(refusal) if refusal.kind == FailureKind::Permanent && request.len() > 1 => {
                self.suspects.extend(request.iter().map(|m| m.number));
                self.put_back(request);
                return Settled::default();
            }
            Err(refusal) => vec![Err(refusal); request.len()],
        };
        debug_assert_eq!(results.len(), request.len(), "one result an entry");
        let mut settled = Settled::default();
        let mut again: Vec<Message> = Vec::new();
        for (mut message, result) in request.into_iter().zip(results) {
            let is_behind_a_failure = self.mode == Mode::Batched
                && message.group.is_some()
                && again.iter().any(|failed| failed.group == message.group);
            match result {
                Ok(()) if !is_behind_a_failure => {
                    settled.acknowledged.push(message.number);
                    continue;
                }
                Ok(()) => {}
                Err(refusal) if refusal.kind == FailureKind::Permanent => {
                    let parts = apart(&message).filter(|_| refusal.is_of_the_message());
                    let Some(parts) = parts else {
                        settled.rejected.push((message, refusal));
                        continue;
                    };
                    settled.taken_apart.push((message.number, parts.len()));
                    again.extend(parts);
                    continue;
                }
                Err(refusal) => settled.note(refusal),
            }
            if self.mode == Mode::Batched {
                message.attempt += 1;
            }
            again.push(message);
        }
        let rejected = settled.rejected.iter().map(|(message, _)| message.number);
        let apart = settled.taken_apart.iter().map(|(number, _)| *number);
        let done = settled.acknowledged.iter().copied();
        for number in done.chain(rejected).chain(apart) {
            self.suspects.remove(&number);
        }
        self.put_back(again);
        settled
    }

    /// In front of all that waits.
    fn put_back(&mut self, messages: Vec<Message>) {
        // Last first, so that pushing to the front restores the order.
        for message in messages.into_iter().rev() {
            self.bytes += message.bytes();
            self.waiting.push_front(message);
        }
    }

    /// Takes out all messages of `group`.
    pub fn take_group(&mut self, group: &str) -> Vec<Message> {
        let (taken, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|m| m.group.as_deref() == Some(group));
        self.waiting = kept.into();
        self.bytes -= taken.iter().map(Message::bytes).sum::<usize>();
        for message in &taken {
            self.suspects.remove(&message.number);
        }
        taken
    }

    /// Takes out everything.
    pub fn drain(&mut self) -> Vec<Message> {
        self.bytes = 0;
        self.suspects.clear();
        std::mem::take(&mut self.waiting).into()
    }
}

#[cfg(test)]
mod tests;
