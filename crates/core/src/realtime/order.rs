//! The order of what one batch has of a key. A buffer keeps none; S3's sequencers tell it.

use std::collections::HashMap;

use crate::event::{Event, by_sequencer};

/// A change out of a batch.
#[derive(Debug)]
pub(super) struct Change {
    /// Which message of the batch reported it.
    pub(super) message: usize,
    /// What happened.
    pub(super) event: Event,
    /// Whether its server's sequencers tell an order.
    pub(super) has_order: bool,
    /// Its source has handed it over before.
    pub(super) is_repeated: bool,
}

/// Puts the changes of each key into S3's order, in the places that they hold among all. A key of
/// which one change has no sequencer, or one that tells no order, stays as it came: that is the best
/// guess there is.
pub(super) fn sort(changes: Vec<Change>) -> Vec<Change> {
    let mut places: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (place, Change { event, .. }) in changes.iter().enumerate() {
        let key = (event.bucket.as_str(), event.key.as_str());
        places.entry(key).or_default().push(place);
    }
    let mut from: Vec<usize> = (0..changes.len()).collect();
    for places in places.into_values() {
        let sequencer = |place: &usize| changes[*place].event.sequencer.as_deref();
        let can_be_told = |place: &usize| changes[*place].has_order && sequencer(place).is_some();
        if !places.iter().all(can_be_told) {
            continue;
        }
        let mut sorted = places.clone();
        sorted.sort_by(|a, b| by_sequencer(sequencer(a).unwrap_or(""), sequencer(b).unwrap_or("")));
        for (place, origin) in places.into_iter().zip(sorted) {
            from[place] = origin;
        }
    }
    let mut changes: Vec<_> = changes.into_iter().map(Some).collect();
    let taken = from.into_iter().filter_map(|origin| changes[origin].take());
    taken.collect()
}

#[cfg(test)]
mod tests {
    use crate::event::Source;
    use crate::timestamp::Timestamp;

    use super::*;

    /// (key, sequencer, has an order) in the order of their coming; tells the order of their going.
    fn sorted(changes: &[(&str, &str, bool)]) -> Vec<usize> {
        let changes = changes.iter().enumerate();
        let changes = changes.map(|(message, (key, sequencer, has_order))| Change {
            message,
            has_order: *has_order,
            is_repeated: false,
            event: Event {
                event_id: String::new(),
                source: Source::Realtime,
                event_name: String::new(),
                bucket: "ledger".to_owned(),
                key: (*key).to_owned(),
                version_id: String::new(),
                event_time: Timestamp(0),
                sequencer: Some((*sequencer).to_owned()).filter(|s| !s.is_empty()),
                size: None,
                e_tag: None,
                is_latest: None,
                job_id: None,
                sequence: None,
            },
        });
        sort(changes.collect()).iter().map(|c| c.message).collect()
    }

    #[test]
    fn a_keys_changes_are_sorted_in_the_places_they_hold() {
        let changes = [("b", "03", true), ("a", "09", true), ("b", "01", true)];
        assert_eq!(sorted(&changes), [2, 1, 0]);
    }

    #[test]
    fn what_cannot_be_told_stays_as_it_came() {
        // Ceph's are little-endian: as text they turn these round.
        let ceph = [("a", "BE1D", false), ("a", "7029", false)];
        assert_eq!(sorted(&ceph), [0, 1]);
        let one_without = [("a", "02", true), ("a", "", true), ("a", "01", true)];
        assert_eq!(sorted(&one_without), [0, 1, 2]);
    }
}
