//! How far everything is acknowledged, when acknowledgements come in any order. No I/O.

use std::collections::VecDeque;

use super::state::Checkpoint;
use crate::version::Position;

/// The checkpoint, and what has been handed out beyond it.
#[derive(Debug)]
pub struct Watermark {
    checkpoint: Checkpoint,
    /// Sequences `checkpoint.sequence + 1 ..`, with whether each is acknowledged.
    beyond: VecDeque<(Position, bool)>,
}

impl Watermark {
    /// Goes on from a checkpoint.
    #[must_use]
    pub fn new(checkpoint: Checkpoint) -> Self {
        Self {
            checkpoint,
            beyond: VecDeque::new(),
        }
    }

    /// Hands out the next sequence for the event at `position`.
    pub fn hand_out(&mut self, position: Position) -> u64 {
        self.beyond.push_back((position, false));
        self.handed_out()
    }

    /// The last sequence handed out.
    #[must_use]
    pub fn handed_out(&self) -> u64 {
        self.checkpoint.sequence + self.beyond.len() as u64
    }

    /// Takes in acknowledgements and tells by how much the checkpoint advanced.
    pub fn acknowledge(&mut self, sequences: &[u64]) -> usize {
        for sequence in sequences {
            let index = sequence
                .checked_sub(self.checkpoint.sequence + 1)
                .and_then(|index| usize::try_from(index).ok());
            if let Some(entry) = index.and_then(|index| self.beyond.get_mut(index)) {
                entry.1 = true;
            }
        }
        let mut advanced = 0;
        while let Some((position, true)) = self.beyond.front() {
            self.checkpoint.sequence += 1;
            self.checkpoint.position = Some(position.clone());
            self.beyond.pop_front();
            advanced += 1;
        }
        advanced
    }

    /// The last sequence and position such that everything up to it is acknowledged.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Millis;

    fn position(sequence: u64) -> Position {
        Position {
            effective_time: Millis(sequence.cast_signed()),
            key: String::new(),
            rank: 0,
        }
    }

    proptest! {
        /// Whatever the order of acknowledgements, the checkpoint is the end of the gapless part.
        #[test]
        fn the_checkpoint_is_never_ahead_of_an_acknowledgement(
            order in Just((1u64..=60).collect::<Vec<_>>()).prop_shuffle(), start in 0u64..1000
        ) {
            let mut watermark = Watermark::new(Checkpoint { sequence: start, position: None });
            for sequence in 1..=60 {
                prop_assert_eq!(watermark.hand_out(position(start + sequence)), start + sequence);
            }
            let mut acknowledged = std::collections::HashSet::new();
            let mut advanced = 0;
            for sequence in order {
                acknowledged.insert(sequence);
                advanced += watermark.acknowledge(&[start + sequence]) as u64;
                let gapless = (1..=60u64).take_while(|s| acknowledged.contains(s)).count() as u64;
                let checkpoint = watermark.checkpoint();
                prop_assert_eq!(checkpoint.sequence, start + gapless);
                prop_assert_eq!(advanced, gapless);
                if gapless > 0 {
                    prop_assert_eq!(checkpoint.position, Some(position(start + gapless)));
                }
            }
        }
    }
}
