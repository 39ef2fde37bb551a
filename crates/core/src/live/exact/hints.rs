//! What notifications reported of a key. No I/O.

/// What notifications reported of a key, by numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// That a version or a marker came.
    pub(super) arrivals: Vec<u64>,
    /// That one was removed for good: no listing shows it.
    pub(super) deletions: Vec<u64>,
    /// Of the arrivals, those of versions that may be [dated back](super::version::Version::is_dated_back).
    pub(super) dated_back: Vec<u64>,
    /// Removals that this invocation has sent. Their source must bring them again nevertheless if this holder
    /// cannot do what others rely on.
    pub(super) removed: Vec<u64>,
    /// One that its source has handed over before is among them.
    pub(super) is_repeated: bool,
    /// Owners of claims that were not answered, and may take effect later.
    pub(super) unclear: Vec<String>,
    /// Hints whose version has been sent by this invocation.
    pub(super) told: Vec<u64>,
}

impl Hints {
    /// All numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + use<'_> {
        let removals = self.deletions.iter().chain(&self.removed);
        self.arrivals.iter().chain(removals).copied()
    }

    /// Whether another holder does all that is to be done: it looks for what is new, and will come again itself
    /// if it dies.
    pub(super) fn may_be_handed_over(&self) -> bool {
        let is_clear = self.unclear.is_empty();
        // Nobody looks for a version dated back who does not know of it.
        is_clear && self.deletions.is_empty() && self.dated_back.is_empty() && !self.is_repeated
    }
}
