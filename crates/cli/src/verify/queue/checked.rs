//! What may be done to a queue, and whether it is empty, by what it says of itself. No I/O.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::Value;

use crate::verify::options::Ending;

/// Messages that a queue lets be received and not deleted at the same time; behind them it answers as if it were empty.
/// Source: Amazon SQS Developer Guide, "Amazon SQS standard queue quotas" (that of FIFO queues is the same by now).
pub(super) const MOST_IN_FLIGHT: u64 = 120_000;

/// Of the receives that a queue with a dead-letter queue allows, one is used up by reading it; its consumer must have
/// two, so that it may fail once.
const LEAST_RECEIVES: u64 = 3;

/// What is asked of the queue.
pub(super) const NAMES: [Name; 5] = [
    Name::ApproximateNumberOfMessages,
    Name::ApproximateNumberOfMessagesDelayed,
    Name::ApproximateNumberOfMessagesNotVisible,
    Name::FifoQueue,
    Name::RedrivePolicy,
];

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Messages that can be received, about.
    pub(super) visible: u64,
    /// Messages that cannot be received yet, about.
    pub(super) delayed: u64,
    /// Messages that were received and are not deleted, about.
    pub(super) hidden: u64,
    pub(super) is_fifo: bool,
    /// How often a message is handed over before it goes to the dead-letter queue; `None` where it never does.
    pub(super) most_receives: Option<u64>,
}

impl Facts {
    /// # Errors
    /// What it does not say.
    pub(super) fn of(all: &HashMap<Name, String>) -> Result<Self, String> {
        let number = |name: &Name| {
            let text = all.get(name).map(String::as_str);
            let number = text.and_then(|text| text.parse().ok());
            number.ok_or_else(|| format!("it says {text:?} for {name}, where a number is expected"))
        };
        let [visible, delayed, hidden, fifo, policy] = &NAMES;
        Ok(Self {
            visible: number(visible)?,
            // Some servers do not tell it.
            delayed: number(delayed).unwrap_or(0),
            hidden: number(hidden)?,
            is_fifo: all.get(fifo).is_some_and(|text| text == "true"),
            most_receives: match all.get(policy).filter(|text| !text.is_empty()) {
                Some(policy) => Some(most_receives(policy)?),
                None => None,
            },
        })
    }

    /// Whether it may be read so: what is to be said loudly.
    ///
    /// # Errors
    /// Why not, and what to do instead.
    pub(super) fn check(&self, ending: Ending) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        if self.hidden > 0 {
            said.push(format!(
                "{} messages are hidden just now: another program reads the queue, or did within its visibility timeout. \
                 What others get is missing here",
                self.hidden
            ));
        }
        if ending == Ending::Delete {
            return Ok(said);
        }
        if self.is_fifo {
            return Err(
                "--keep: a FIFO queue hands over no more of a message group while some of it are received and not \
                 deleted, so at most ten messages of a group could be read and kept, which proves nothing. Read it with \
                 --delete --copy FILE, or have its consumer write what it gets and use --events"
                    .to_owned(),
            );
        }
        let all = self.visible + self.delayed + self.hidden;
        if all > MOST_IN_FLIGHT {
            return Err(format!(
                "--keep: the queue holds about {all} messages, and hands over {MOST_IN_FLIGHT} at most while none is \
                 deleted. Read it with --delete --copy FILE, or have its consumer write what it gets and use --events"
            ));
        }
        if let Some(most) = self.most_receives {
            if most < LEAST_RECEIVES {
                return Err(format!(
                    "--keep: the queue's RedrivePolicy has maxReceiveCount {most}, and reading it uses up one receive of \
                     each message: its consumer's next failure would move them to the dead-letter queue. Raise it to \
                     {LEAST_RECEIVES} or more meanwhile, or use --delete --copy FILE"
                ));
            }
            said.push(format!(
                "--keep uses up one of the {most} receives (maxReceiveCount) after which a message goes to the dead-letter \
                 queue"
            ));
        }
        Ok(said)
    }

    /// Whether a message that has been received so often may not be received once more than that and be kept.
    pub(super) fn is_used_up(&self, receives: u64) -> bool {
        self.most_receives
            .is_some_and(|most| receives + LEAST_RECEIVES > most + 1)
    }

    /// What of it has not been read by who holds so many; `None` if that is nothing.
    pub(super) fn unread(&self, held: u64) -> Option<String> {
        let by_others = self.hidden.saturating_sub(held);
        let parts = [
            (self.visible, "can be received"),
            (self.delayed, "are delayed"),
            (by_others, "are hidden, received by another program"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn most_receives(policy: &str) -> Result<u64, String> {
    let most = serde_json::from_str::<Value>(policy)
        .ok()
        .and_then(|policy| {
            let most = policy.get("maxReceiveCount")?;
            // It is written as a number or as a text.
            most.as_u64().or_else(|| most.as_str()?.parse().ok())
        });
    most.ok_or_else(|| format!("its RedrivePolicy has no maxReceiveCount: {policy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Facts = Facts {
        visible: 7,
        delayed: 0,
        hidden: 0,
        is_fifo: false,
        most_receives: None,
    };

    #[test]
    fn what_cannot_be_kept_is_refused_with_what_to_do() {
        let fifo = Facts {
            is_fifo: true,
            ..QUIET
        };
        let large = Facts {
            visible: 120_001,
            ..QUIET
        };
        let few = Facts {
            most_receives: Some(2),
            ..QUIET
        };
        for (facts, part) in [
            (&fifo, "ten messages of a group"),
            (&large, "120001 messages"),
            (&few, "maxReceiveCount 2"),
        ] {
            let refused = facts.check(Ending::Keep).unwrap_err();
            assert!(
                refused.contains(part) && refused.contains("--delete --copy FILE"),
                "{refused}"
            );
            assert_eq!(facts.check(Ending::Delete), Ok(vec![]));
        }
        assert_eq!(QUIET.check(Ending::Keep), Ok(vec![]));
        let largest = Facts {
            visible: 120_000,
            ..QUIET
        };
        assert_eq!(largest.check(Ending::Keep), Ok(vec![]));
    }

    #[test]
    fn what_it_costs_and_who_else_reads_is_said() {
        let three = Facts {
            most_receives: Some(3),
            hidden: 5,
            ..QUIET
        };
        let said = three.check(Ending::Keep).unwrap().join("\n");
        assert!(
            said.contains("5 messages are hidden") && said.contains("one of the 3 receives"),
            "{said}"
        );
    }

    #[test]
    fn a_consumer_keeps_two_receives_of_each_message_and_one_of_the_first_that_has_fewer() {
        let five = Facts {
            most_receives: Some(5),
            ..QUIET
        };
        // As it counts with this receive: the consumer's are the fourth and the fifth.
        assert_eq!((five.is_used_up(3), five.is_used_up(4)), (false, true));
        assert!(!QUIET.is_used_up(1_000));
    }

    #[test]
    fn a_queue_is_read_when_nothing_is_left_but_what_is_held() {
        let held = Facts {
            visible: 0,
            hidden: 3,
            ..QUIET
        };
        assert_eq!(held.unread(3), None);
        assert_eq!(held.unread(4), None); // the count lags behind
        assert_eq!(
            held.unread(1).as_deref(),
            Some("2 are hidden, received by another program")
        );
        let more = Facts {
            visible: 1,
            delayed: 2,
            ..QUIET
        };
        assert_eq!(
            more.unread(0).as_deref(),
            Some("1 can be received, 2 are delayed")
        );
    }

    #[test]
    fn facts_are_read_as_servers_write_them() {
        let [visible, delayed, hidden, fifo, policy] = NAMES;
        let mut all: HashMap<Name, String> =
            HashMap::from([(visible.clone(), "7".to_owned()), (hidden, "0".to_owned())]);
        assert_eq!(Facts::of(&all), Ok(QUIET));
        all.insert(fifo, "true".to_owned());
        all.insert(delayed, "2".to_owned());
        for most in ["3", "\"3\""] {
            all.insert(policy.clone(), format!("{{\"maxReceiveCount\":{most}}}"));
            let facts = Facts::of(&all).unwrap();
            assert_eq!(
                (facts.most_receives, facts.delayed, facts.is_fifo),
                (Some(3), 2, true)
            );
        }
        all.insert(policy, "{}".to_owned());
        assert!(Facts::of(&all).unwrap_err().contains("maxReceiveCount"));
        all.remove(&visible);
        assert!(
            Facts::of(&all)
                .unwrap_err()
                .contains("ApproximateNumberOfMessages")
        );
    }
}
