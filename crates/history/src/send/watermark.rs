//! How far everything is acknowledged, when acknowledgements come in any order. No I/O.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::position::Position;
use crate::send::checkpoint::Checkpoint;

/// The checkpoint, and what has been handed out beyond it.
///
/// Rows are handed out in blocks: one row, or as many as are packed into messages together. A
/// checkpoint lies between blocks, so that a resume makes the same messages again, which SQS then
/// knows for repetitions.
#[derive(Debug)]
pub struct Watermark {
    checkpoint: Checkpoint,
    /// What is behind the checkpoint, in order, without gaps.
    beyond: VecDeque<Block>,
    handed_out: u64,
    /// Events up to the checkpoint that were parked.
    parked: u64,
}

#[derive(Debug)]
struct Block {
    first_sequence: u64,
    rows: u64,
    last: Position,
    /// Messages that are neither acknowledged nor parked.
    open: usize,
    /// Events that were parked.
    parked: u64,
}

impl Watermark {
    /// Continues from a checkpoint, up to which so many events were parked.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, parked: u64) -> Self {
        Self {
            parked,
            handed_out: checkpoint.sequence,
            checkpoint,
            beyond: VecDeque::new(),
        }
    }

    /// Hands out the next `rows` sequences, which end at position `last`, as `messages` messages.
    pub fn hand_out(&mut self, rows: u64, last: Position, messages: usize) {
        self.beyond.push_back(Block {
            first_sequence: self.handed_out + 1,
            rows,
            last,
            open: messages,
            parked: 0,
        });
        self.handed_out += rows;
    }

    /// The last sequence handed out.
    #[must_use]
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// Takes in acknowledgements of messages, each by one of its sequences, and tells by how many
    /// rows the checkpoint advanced. A message must be acknowledged once.
    pub fn acknowledge(&mut self, sequences: &[u64]) -> usize {
        for sequence in sequences {
            if let Some(block) = self.block_of(*sequence) {
                block.open = block.open.saturating_sub(1);
            }
        }
        let mut advanced = 0;
        while self.beyond.front().is_some_and(|block| block.open == 0) {
            let Some(block) = self.beyond.pop_front() else {
                break;
            };
            self.parked += block.parked;
            self.checkpoint.sequence += block.rows;
            self.checkpoint.position = Some(block.last);
            advanced += usize::try_from(block.rows).unwrap_or(usize::MAX);
        }
        advanced
    }

    /// Takes in that a message, by one of its sequences, continues as so many.
    pub fn take_apart(&mut self, sequence: u64, parts: usize) {
        if let Some(block) = self.block_of(sequence) {
            block.open += parts.saturating_sub(1);
        }
    }

    /// Takes in that an event, a message by itself, is kept aside, and tells by how many rows the
    /// checkpoint advanced.
    pub fn park(&mut self, sequence: u64) -> usize {
        if let Some(block) = self.block_of(sequence) {
            block.parked += 1;
        }
        self.acknowledge(&[sequence])
    }

    /// How many events were parked up to the checkpoint. What was parked beyond it is parked again
    /// after a crash, and counts when the checkpoint passes it: once.
    #[must_use]
    pub fn parked(&self) -> u64 {
        self.parked
    }

    fn block_of(&mut self, sequence: u64) -> Option<&mut Block> {
        let behind = self
            .beyond
            .partition_point(|block| block.first_sequence <= sequence);
        let index = behind.checked_sub(1)?;
        self.beyond.get_mut(index)
    }

    /// The last sequence and position such that everything up to it is acknowledged or
    /// parked.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.clone()
    }
}

/// A watermark is a plain value: a panic elsewhere cannot leave it half changed.
pub fn lock(watermark: &Mutex<Watermark>) -> MutexGuard<'_, Watermark> {
    watermark.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn position(sequence: u64) -> Position {
        Position {
            effective_time: Timestamp(sequence.cast_signed()),
            key: String::new(),
            rank: 0,
        }
    }

    proptest! {
        /// Whatever the order of acknowledgements, and however rows are packed into messages, the
        /// checkpoint is the end of the last block that is acknowledged with all before it.
        #[test]
        fn the_checkpoint_is_never_ahead_of_an_acknowledgement(
            blocks in prop::collection::vec(prop::collection::vec(1u64..5, 1..5), 1..30),
            start in 0u64..1000,
            seed: u64,
        ) {
            let mut watermark = Watermark::new(Checkpoint { sequence: start, position: None }, 7);
            let mut messages = vec![];
            let mut rows_of = std::collections::HashMap::new();
            for block in &blocks {
                let rows = block.iter().sum();
                let mut sequence = watermark.handed_out();
                for packed in block {
                    messages.push(sequence + 1);
                    rows_of.insert(sequence + 1, *packed);
                    sequence += packed;
                }
                watermark.hand_out(rows, position(sequence), block.len());
                prop_assert_eq!(watermark.handed_out(), sequence);
            }
            fastrand::Rng::with_seed(seed).shuffle(&mut messages);
            let mut acknowledged = std::collections::HashSet::new();
            let mut parked = Vec::new();
            let mut advanced = 0;
            for message in messages {
                acknowledged.insert(message);
                // Every third message is refused: its first event is parked, the others go alone.
                advanced += if message % 3 == 0 {
                    let rows = rows_of[&message];
                    watermark.take_apart(message, usize::try_from(rows).unwrap());
                    parked.push(message);
                    let mut advanced = watermark.park(message);
                    for part in 1..rows {
                        advanced += watermark.acknowledge(&[message + part]);
                    }
                    advanced as u64
                } else {
                    watermark.acknowledge(&[message]) as u64
                };
                let mut end = start;
                for block in &blocks {
                    let mut first = end + 1;
                    let is_done = block.iter().all(|packed| {
                        first += packed;
                        acknowledged.contains(&(first - packed))
                    });
                    if !is_done {
                        break;
                    }
                    end += block.iter().sum::<u64>();
                }
                let checkpoint = watermark.checkpoint();
                prop_assert_eq!(checkpoint.sequence, end);
                prop_assert_eq!(advanced, end - start);
                let passed = parked.iter().filter(|sequence| **sequence <= end).count() as u64;
                prop_assert_eq!(watermark.parked(), 7 + passed);
                prop_assert_eq!(checkpoint.position, (end > start).then(|| position(end)));
            }
        }
    }
}
