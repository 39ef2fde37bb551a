use std::collections::HashSet;

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

fn refusal(kind: FailureKind) -> SendError {
    SendError {
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
    /// A queue that refuses a whole request for one bad message: the bad ones are named and no
    /// other, each group arrives in order, and no group overtakes its bad one.
    #[test]
    fn of_a_request_refused_as_a_whole_the_ones_at_fault_are_found(
        groups in prop::collection::vec(0u8..12, 1..80),
        bad in prop::collection::hash_set(0u64..80, 0..5), batched: bool, most in 1usize..5
    ) {
        let mut pending = Pending::new(if batched { Mode::Batched } else { Mode::Strict });
        for (number, group) in groups.iter().enumerate() {
            pending.push(message(number as u64, *group, 1));
        }
        let (mut arrived, mut rejected, mut held_back) = (vec![], vec![], vec![]);
        while !pending.is_empty() {
            let (mut round, mut busy) = (Vec::new(), HashSet::new());
            while round.len() < most {
                let request = pending.next_request_beside(&busy);
                if request.is_empty() {
                    break;
                }
                busy.extend(request.iter().filter_map(|message| message.group.clone()));
                round.push(request);
            }
            for request in round {
                let answer = if request.iter().any(|m| bad.contains(&m.number)) {
                    Err(refusal(FailureKind::Permanent))
                } else {
                    Ok(vec![Ok(()); request.len()])
                };
                let settled = pending.settle(request, answer);
                prop_assert!(settled.again.is_none(), "no wait");
                arrived.extend(settled.acknowledged);
                for (message, _) in settled.rejected {
                    held_back.extend(pending.take_group(message.group.as_ref().unwrap()));
                    rejected.push(message.number);
                }
            }
        }
        prop_assert!(!pending.has_suspects());
        let group_of = |n: &u64| groups[usize::try_from(*n).unwrap()];
        for number in 0..groups.len() as u64 {
            let first_bad = bad.iter().filter(|b| **b < groups.len() as u64 && group_of(b) == group_of(&number)).min();
            prop_assert_eq!(arrived.contains(&number), first_bad.is_none_or(|b| number < *b), "{}", number);
            prop_assert_eq!(rejected.contains(&number), first_bad == Some(&number));
        }
        for group in 0..12 {
            let of_group: Vec<_> = arrived.iter().filter(|n| group_of(n) == group).collect();
            prop_assert!(of_group.is_sorted());
        }
        prop_assert_eq!(arrived.len() + rejected.len() + held_back.len(), groups.len());
    }

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
                Err(refusal(FailureKind::Throttled))
            } else {
                Ok(request.iter().map(|m| if faults.next() == Some(1) {
                    Err(refusal(FailureKind::Transient))
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
                    Err(refusal(FailureKind::Transient))
                }
                _ => Ok(request.iter().map(|m| if faults.next() == Some(1) {
                    Err(refusal(FailureKind::Transient))
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
