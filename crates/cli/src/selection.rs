//! Which events, and how they are sent: what `reseed` and `jobs start` have in common.

use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::scan::filter::Events;
use clap::Args;

use crate::values::{time, word};

/// Which events, and how they are sent.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// Only keys that begin so; default all, of a stack those of its `KeyPrefix`
    #[arg(long)]
    pub prefix: Option<String>,
    /// Effective time not before, like 2024-05-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Effective time before; default now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// `all` (default), `created` or `removed`
    #[arg(long, value_parser = word::<Events>)]
    pub events: Option<Events>,
    /// Only the present state: latest versions that are not deleted
    #[arg(long)]
    pub current_only: bool,
    /// Fail at the first key whose order the listing does not tell, instead of counting it
    #[arg(long)]
    pub refuse_ambiguous: bool,
    /// `key`, `bucket` or `none`; default `key` on a FIFO queue, `none` on a standard one, of a stack its own
    #[arg(long)]
    pub order: Option<String>,
    /// `bridge` (one JSON object an event) or `s3` (a native notification document); default `bridge`, of a
    /// stack its own
    #[arg(long, value_parser = word::<Format>)]
    pub format: Option<Format>,
    /// Records a message holds at most, 1 (default) to 5000; more than one only with format `s3`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16))]
    pub records_per_message: Option<u16>,
    /// `strict` (default), or `batched`: several messages of one group a request, a rewind after a failure
    #[arg(long, value_parser = word::<Mode>)]
    pub delivery: Option<Mode>,
    /// Events a second, at most, spread evenly
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rate: Option<u64>,
    /// Wait while more messages than this are in the queue
    #[arg(long, value_name = "N")]
    pub pause_above_depth: Option<u64>,
}
