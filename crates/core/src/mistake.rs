//! Mistakes planted on purpose, so that the simulation can be tested: one that does not notice them
//! proves nothing. Only the feature `mistakes` can plant one, and only `crates/sim`'s tests have it;
//! everywhere else the question below is a constant, and the compiler removes it.

/// What a hasty author of this crate could have got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The checkpoint is the last sequence handed out.
    CheckpointAhead,
    /// The checkpoint is the highest acknowledged sequence instead of the end of the gapless part.
    WatermarkMaximum,
    /// Entries that SQS did not take are forgotten.
    FailedEntryForgotten,
    /// A request that failed as a whole is taken for sent.
    FailedRequestForgotten,
    /// A request may carry two messages of one group, in strict mode too.
    TwoOfAGroup,
    /// A group is spread over lanes.
    GroupOnManyLanes,
    /// Batched: what is sent again keeps its deduplication id.
    RewindWithOldId,
    /// Batched: only the failed entries are sent again, not those behind them.
    NoRewind,
    /// Strict: a resumed segment's deduplication ids are new.
    FreshIdsOnResume,
    /// What waits in a lane when time is up counts as sent.
    LostAtDeadline,
    /// A job is taken while another segment holds its lease.
    LeaseIgnored,
    /// A segment that lost its job continues writing it.
    EpochNotChecked,
    /// A segment continues sending when it cannot renew its lease.
    SendingPastTheLease,
    /// A run that could not be stored is committed.
    RunNotStored,
    /// A resume begins with the event at the checkpoint instead of the one behind it.
    ResumeRepeatsARow,
    /// Of versions of one key and one second, the newest is told first.
    TiesReversed,
    /// The sweep continues nothing.
    NoSweep,
    /// Packed: a resume packs other messages than those that were sent.
    OtherBlocksOnResume,
    /// The window is not kept: the fastest lane runs ahead as far as it can.
    NoWindow,
    /// Parked: the failure queue's refusal of an event is not looked at.
    ParkedWithoutKeeping,
    /// Parked, packed: what shares a message with the event at fault is passed over with it.
    ParkedWithItsMessage,
    /// Parked: what was parked beyond the checkpoint counts, and counts again after a crash.
    ParkedCountedAtOnce,
}

impl Mistake {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::CheckpointAhead,
        Self::WatermarkMaximum,
        Self::FailedEntryForgotten,
        Self::FailedRequestForgotten,
        Self::TwoOfAGroup,
        Self::GroupOnManyLanes,
        Self::RewindWithOldId,
        Self::NoRewind,
        Self::FreshIdsOnResume,
        Self::LostAtDeadline,
        Self::LeaseIgnored,
        Self::EpochNotChecked,
        Self::SendingPastTheLease,
        Self::RunNotStored,
        Self::ResumeRepeatsARow,
        Self::TiesReversed,
        Self::NoSweep,
        Self::OtherBlocksOnResume,
        Self::NoWindow,
        Self::ParkedWithoutKeeping,
        Self::ParkedWithItsMessage,
        Self::ParkedCountedAtOnce,
    ];

    /// Whether it was planted in this thread.
    #[cfg(feature = "mistakes")]
    #[must_use]
    pub fn is_planted(self) -> bool {
        planted::PLANTED.get() == Some(self)
    }

    /// Never.
    #[cfg(not(feature = "mistakes"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    #[must_use]
    pub const fn is_planted(self) -> bool {
        false
    }
}

#[cfg(feature = "mistakes")]
mod planted {
    use std::cell::Cell;

    use super::Mistake;

    thread_local! {
        pub(super) static PLANTED: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    /// Plants a mistake in this thread, or takes it out.
    pub fn plant(mistake: Option<Mistake>) {
        PLANTED.set(mistake);
    }
}

#[cfg(feature = "mistakes")]
pub use planted::plant;
