//! Which events, and how they are sent: what `reseed` and `jobs start` have in common.

use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::start::MAX_RATE;
use bridge_history::scan::filter::Events;
use clap::Args;

use crate::values::{number, time, word};

/// Which events, and how they are sent.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// Only keys that begin so; default all, of a stack those of its `KeyPrefix`
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only what happened at this time or later, like 2024-05-01T00:00:00Z or 2024-05-01T02:00:00+02:00; default from
    /// the beginning
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Only what happened before this time; default until now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Events of which kind: `all` (default), `created` or `removed`
    #[arg(long, value_name = "KIND", value_parser = word::<Events>)]
    pub events: Option<Events>,
    /// Only the state at `--until`: of each key the newest version, unless it was deleted
    #[arg(long)]
    pub current_only: bool,
    /// Fail at the first key whose order the bucket's listing does not tell, instead of counting it and sending it in
    /// the likeliest order
    #[arg(long)]
    pub refuse_ambiguous: bool,
    /// What is kept in order: `key`, each key's events; `bucket`, all; or `none`; default `key` on a FIFO queue, `none`
    /// on a standard one, of a stack its own
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
    /// How an event is written: `bridge` (one JSON object) or `s3` (a native notification document); default `bridge`,
    /// of a stack its own
    #[arg(long, value_name = "FORMAT", value_parser = word::<Format>)]
    pub format: Option<Format>,
    /// Events that a message holds, at most: 1 (default) to 5000; more than one only with `--format s3`
    #[arg(long, value_name = "N", value_parser = number(1_u16, 5000))]
    pub records_per_message: Option<u16>,
    /// `strict` (default): one message of a group a request; or `batched`: several, which is faster, and after a failure
    /// some come again
    #[arg(long, value_name = "WAY", value_parser = word::<Mode>)]
    pub delivery: Option<Mode>,
    /// Events a second, at most, spread evenly, 1 to 1000000; default as fast as the queue takes them
    #[arg(long, value_name = "N", value_parser = number(1, MAX_RATE))]
    pub max_rate: Option<u64>,
    /// Wait while more messages than this are in the queue; default never
    #[arg(long, value_name = "N", value_parser = number(0, u64::MAX))]
    pub pause_above_depth: Option<u64>,
}
