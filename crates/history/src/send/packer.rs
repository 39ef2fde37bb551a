//! Rows of a plan, made into messages. No I/O.
//!
//! Unpacked, a row is a message. Packed (`recordsPerMessage`), the rows of one group within a block
//! share messages. Blocks are counted by sequence, and a resume begins with a block, so the same
//! rows always share the same message, whatever was interrupted.

use std::collections::HashMap;

use bridge_core::event::Event;
use bridge_core::format;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::{Mode, Order};
use bridge_core::queue::port::MAX_REQUEST_BYTES;

use crate::id::{Epoch, JobId};

/// Rows of a block for each record of a message, where a block has many groups.
const BLOCK_FACTOR: usize = 10;

/// The longest block, rows.
const MAX_BLOCK: usize = 5_000;

/// The most that a record adds to the attribute that lists sequences: a comma and a number.
const SEQUENCE_BYTES: usize = 21;

/// Makes messages of a job's rows.
#[derive(Debug, Clone)]
pub struct Packer {
    /// Format, order and region.
    pub writer: Writer,
    /// The bucket.
    pub bucket: String,
    /// The job.
    pub job_id: JobId,
    /// The segment's epoch.
    pub epoch: Epoch,
    /// How groups keep their order.
    pub mode: Mode,
    /// The most records of a message.
    pub records_per_message: usize,
    /// The queue's `MaximumMessageSize`.
    pub max_message_bytes: usize,
    /// Events a second, at most: a block goes at once, so it holds no more than a second's.
    pub max_rate: Option<u64>,
}

/// A message that may get more records.
struct Open {
    records: String,
    sequences: Vec<u64>,
}

impl Packer {
    /// How many rows are made into messages together.
    #[must_use]
    pub fn rows_of_block(&self) -> usize {
        let records = match self.records_per_message {
            1 => return 1,
            records => records,
        };
        let rows = match self.writer.order {
            // One group: a block is a message.
            Order::Bucket | Order::None => records,
            Order::Key => (records * BLOCK_FACTOR).min(MAX_BLOCK).max(records),
        };
        let a_second = self.max_rate.and_then(|rate| usize::try_from(rate).ok());
        rows.min(a_second.unwrap_or(rows))
    }

    /// The messages of a block whose first row has this sequence, each group's in order.
    #[must_use]
    pub fn messages(&self, rows: Vec<PlannedVersion>, first_sequence: u64) -> Vec<Message> {
        let events = (first_sequence..).zip(rows).map(|(sequence, row)| {
            (
                sequence,
                row.into_event(&self.bucket, self.job_id.as_str(), sequence),
            )
        });
        if self.records_per_message == 1 {
            return events
                .map(|(sequence, event)| self.single(&event, sequence))
                .collect();
        }
        let mut open: HashMap<Option<String>, Open> = HashMap::new();
        let mut messages = Vec::new();
        for (sequence, event) in events {
            let group = self.writer.group(&event);
            let record = format::record(&event, &self.writer.region);
            let Some(of_group) = open.get_mut(&group) else {
                open.insert(group, Open::of(record, sequence));
                continue;
            };
            if of_group.has_room(record.len(), self) {
                of_group.add(&record, sequence);
            } else {
                let full = std::mem::replace(of_group, Open::of(record, sequence));
                messages.push(self.packed(group, full));
            }
        }
        let mut rest: Vec<_> = open.into_iter().collect();
        rest.sort_unstable_by_key(|(_, open)| open.sequences.first().copied());
        messages.extend(
            rest.into_iter()
                .map(|(group, open)| self.packed(group, open)),
        );
        messages
    }

    /// One event, one message.
    fn single(&self, event: &Event, sequence: u64) -> Message {
        let body = format::body(event, self.writer.format, &self.writer.region);
        let group = self.writer.group(event);
        self.message(body, group, &[sequence])
    }

    fn packed(&self, group: Option<String>, open: Open) -> Message {
        let body = format::document(&open.records);
        self.message(body, group, &open.sequences)
    }

    fn message(&self, body: String, group: Option<String>, sequences: &[u64]) -> Message {
        let mut attributes = vec![
            (
                "source",
                bridge_core::event::Source::Reseed.as_str().to_owned(),
            ),
            ("jobId", self.job_id.to_string()),
        ];
        // A notification document has no room for sequences.
        if self.writer.format == format::Format::S3 {
            attributes.push(("sequence", ranges(sequences)));
        }
        Message {
            number: sequences.first().copied().unwrap_or(0),
            events: sequences.len(),
            body,
            deduplication_id: group.is_some().then(|| self.deduplication_id(sequences)),
            group,
            attempt: 0,
            attributes,
        }
    }

    /// `jobId:sequence`, so that a second job is not taken for a repetition of the first. A packed
    /// message's names its first and last: should it ever hold other records than before (the
    /// queue's `MaximumMessageSize` was changed), SQS must not take it for the same.
    /// Batched, each segment has its own ids: what the last one had in flight may have arrived with
    /// a gap, and must come again as a whole.
    fn deduplication_id(&self, sequences: &[u64]) -> String {
        let (job_id, epoch) = (&self.job_id, self.epoch);
        let of_rows = match sequences {
            [first, .., last] => format!("{job_id}:{first}-{last}"),
            [only] => format!("{job_id}:{only}"),
            [] => job_id.to_string(),
        };
        match self.mode {
            Mode::Strict => of_rows,
            Mode::Batched => format!("{of_rows}:{epoch}"),
        }
    }
}

impl Open {
    fn of(record: String, sequence: u64) -> Self {
        Self {
            records: record,
            sequences: vec![sequence],
        }
    }

    fn has_room(&self, record: usize, packer: &Packer) -> bool {
        let most = packer.max_message_bytes.min(MAX_REQUEST_BYTES);
        let fixed = format::document("").len() + packer.job_id.as_str().len() + 64;
        let taken = self.records.len() + self.sequences.len() * (SEQUENCE_BYTES + 1);
        self.sequences.len() < packer.records_per_message
            && fixed + taken + record + SEQUENCE_BYTES < most
    }

    fn add(&mut self, record: &str, sequence: u64) {
        self.records.push(',');
        self.records.push_str(record);
        self.sequences.push(sequence);
    }
}

/// `7`, or `1-100`, or `8,10-12`: numbers and ranges, in order.
fn ranges(sequences: &[u64]) -> String {
    let mut text = String::new();
    let mut rest = sequences;
    while let [first, ..] = rest {
        let run = rest
            .iter()
            .zip(*first..)
            .take_while(|(found, expected)| *found == expected)
            .count();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&first.to_string());
        if run > 1 {
            text.push('-');
            text.push_str(&rest[run - 1].to_string());
        }
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use bridge_core::format::Format;
    use bridge_core::listing::version::ObjectVersion;
    use bridge_core::notification;
    use bridge_core::queue::undeliverable::apart;
    use bridge_core::timestamp::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn packer(order: Order, records_per_message: usize, max_message_bytes: usize) -> Packer {
        Packer {
            writer: Writer {
                format: Format::S3,
                order,
                region: "eu-west-1".to_owned(),
            },
            bucket: "ledger".to_owned(),
            job_id: "20240501-1a2b3c4d-1".parse().unwrap(),
            epoch: Epoch(1),
            mode: Mode::Strict,
            records_per_message,
            max_message_bytes,
            max_rate: None,
        }
    }

    fn row(number: i64, key: u8) -> PlannedVersion {
        PlannedVersion {
            effective_time: Timestamp(number * 1000),
            rank: 0,
            version: ObjectVersion {
                key: format!("key/{key}"),
                version_id: format!("v{number}"),
                last_modified: Timestamp(number * 1000),
                is_latest: false,
                is_delete_marker: number % 3 == 0,
                size: (number % 3 != 0).then_some(1),
                e_tag: None,
            },
        }
    }

    fn version_ids(message: &Message) -> Vec<String> {
        let body = serde_json::from_str(&message.body).unwrap();
        let document = notification::parse_document(&body).unwrap();
        document
            .events
            .into_iter()
            .map(|event| event.version_id)
            .collect()
    }

    #[test]
    fn unpacked_messages_are_as_they_always_were() {
        let mut packer = packer(Order::Key, 1, 1000);
        packer.writer.format = Format::Bridge;
        let messages = packer.messages(vec![row(1, 1)], 17);
        assert_eq!(messages.len(), 1);
        let id = messages[0].deduplication_id.as_deref();
        assert_eq!(id, Some("20240501-1a2b3c4d-1:17"));
        assert_eq!(messages[0].attributes.len(), 2);
        assert!(messages[0].body.contains("\"sequence\":17"));
    }

    #[test]
    fn a_block_is_no_more_than_a_second_of_events() {
        for (order, records, max_rate, rows) in [
            (Order::Key, 100, None, 1_000),
            (Order::Key, 100, Some(20_000), 1_000),
            (Order::Key, 100, Some(500), 500),
            (Order::Key, 100, Some(1), 1),
            (Order::Bucket, 100, None, 100),
            (Order::Bucket, 100, Some(10), 10),
            (Order::Key, 1, Some(10), 1),
        ] {
            let mut packer = packer(order, records, 100_000);
            packer.max_rate = max_rate;
            assert_eq!(packer.rows_of_block(), rows, "{records} at {max_rate:?}");
        }
    }

    #[test]
    fn sequences_are_listed_as_ranges() {
        for (sequences, text) in [
            (&[7][..], "7"),
            (&[1, 2, 3], "1-3"),
            (&[8, 10, 11, 12, 20], "8,10-12,20"),
        ] {
            assert_eq!(ranges(sequences), text);
        }
    }

    #[test]
    fn batched_segments_have_ids_of_their_own() {
        let mut packer = packer(Order::Key, 1, 1000);
        packer.mode = Mode::Batched;
        let first = packer.messages(vec![row(1, 1)], 1);
        packer.epoch = Epoch(2);
        let second = packer.messages(vec![row(1, 1)], 1);
        assert_ne!(first[0].deduplication_id, second[0].deduplication_id);
    }

    proptest! {
        /// A message that is taken apart is what an unpacked job would have sent.
        #[test]
        fn parts_are_what_an_unpacked_job_sends(
            keys in prop::collection::vec(0u8..4, 1..60),
            records in 2usize..20,
            order in prop_oneof![Just(Order::Key), Just(Order::Bucket), Just(Order::None)],
            batched: bool,
        ) {
            let mut packed = packer(order, records, 20_000);
            packed.mode = if batched { Mode::Batched } else { Mode::Strict };
            let single = Packer { records_per_message: 1, ..packed.clone() };
            let rows: Vec<_> = (1..).zip(&keys).map(|(n, key)| row(n, *key)).collect();
            let mut parts: Vec<Message> = packed
                .messages(rows.clone(), 5)
                .into_iter()
                .flat_map(|message| apart(&message).unwrap_or_else(|| vec![message]))
                .collect();
            parts.sort_unstable_by_key(|part| part.number);
            prop_assert_eq!(parts, single.messages(rows, 5));
        }

        /// Every record is in one message, messages hold one group in order and no more than they
        /// may, and the same block always makes the same messages.
        #[test]
        fn packing_loses_repeats_and_mixes_nothing(
            keys in prop::collection::vec(0u8..6, 1..120),
            records in 2usize..40,
            order in prop_oneof![Just(Order::Key), Just(Order::Bucket), Just(Order::None)],
            max_bytes in 2_000usize..20_000,
        ) {
            let packer = packer(order, records, max_bytes);
            let rows: Vec<_> = (1..).zip(&keys).map(|(n, key)| row(n, *key)).collect();
            let messages = packer.messages(rows.clone(), 1);
            prop_assert_eq!(&messages, &packer.messages(rows, 1));
            let mut seen: Vec<u64> = vec![];
            let mut last_of_group: HashMap<Option<String>, u64> = HashMap::new();
            for message in &messages {
                let ids = version_ids(message);
                prop_assert!(!ids.is_empty() && ids.len() <= records);
                prop_assert!(message.bytes() <= max_bytes, "{} bytes", message.bytes());
                let numbers: Vec<u64> = ids.iter().map(|id| id[1..].parse().unwrap()).collect();
                prop_assert!(numbers.is_sorted());
                prop_assert_eq!(&message.attributes[2].1, &ranges(&numbers));
                let last = last_of_group.insert(message.group.clone(), *numbers.last().unwrap());
                prop_assert!(last.is_none_or(|last| last < numbers[0]));
                if order == Order::Key {
                    let of = |n: &u64| keys[usize::try_from(*n - 1).unwrap()];
                    prop_assert!(numbers.iter().all(|n| of(n) == of(&numbers[0])));
                }
                seen.extend(numbers);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (1..=keys.len() as u64).collect::<Vec<_>>());
            let ids: std::collections::HashSet<_> =
                messages.iter().filter_map(|m| m.deduplication_id.clone()).collect();
            prop_assert!(order == Order::None || ids.len() == messages.len());
        }
    }
}
