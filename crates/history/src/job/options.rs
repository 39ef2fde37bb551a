//! What a job was asked to do.

use bridge_core::format::Format;
use bridge_core::queue::ordering::{Mode, Order};
use serde::{Deserialize, Serialize};

use crate::job::handover::Then;
use crate::plan::elsewhere::place::PlanSource;
use crate::scan::filter::Filter;
use crate::send::parking::OnUndeliverable;
use crate::send::sender::SendOptions;
use crate::send::target::Target;

/// What a job was asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Which versions.
    pub filter: Filter,
    /// Which order the queue keeps.
    pub order: Order,
    /// How messages are written.
    pub format: Format,
    /// How groups keep their order.
    #[serde(default)]
    pub delivery: Mode,
    /// Records a message holds at most; more than one only in the `s3` format.
    #[serde(default = "one")]
    pub records_per_message: usize,
    /// Where to.
    #[serde(rename = "queueUrl")]
    pub target: Target,
    /// Events a second, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u64>,
    /// Wait while more messages than this are in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_above_depth: Option<u64>,
    /// Plan only.
    pub dry_run: bool,
    /// Whether a key whose order nothing proves ends the scan, instead of being counted.
    #[serde(default)]
    pub refuse_ambiguous: bool,
    /// What becomes of an event that the queue refuses for good. Not written where it is the default:
    /// what was asked for before there was a choice has the same digest still.
    #[serde(default, skip_serializing_if = "OnUndeliverable::is_stop")]
    pub on_undeliverable: OnUndeliverable,
    /// What follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// A plan from elsewhere, which is sent instead of what a listing gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSource>,
}

impl Options {
    /// The part that concerns sending.
    #[must_use]
    pub fn sending(&self) -> SendOptions {
        SendOptions {
            order: self.order,
            format: self.format,
            delivery: self.delivery,
            records_per_message: self.records_per_message,
            target: self.target.clone(),
            max_rate: self.max_rate,
            pause_above_depth: self.pause_above_depth,
        }
    }
}

fn one() -> usize {
    1
}
