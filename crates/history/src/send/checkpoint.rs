//! How far a job has come.

use serde::{Deserialize, Serialize};

use crate::plan::position::Position;

/// Everything up to it is acknowledged by SQS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The last such sequence; 0 at the beginning.
    pub sequence: u64,
    /// Its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}
