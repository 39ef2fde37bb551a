//! The frozen, sorted list of what a job will send: sorted runs and their manifest.
//!
//! - [`position`]: where an event stands in it
//! - [`run`]: one sorted Parquet file; its schema is public (docs/ARCHITECTURE.md); [`reader`]
//!   reads it from any position on; [`merge`]: all runs as one stream, in a [`budget`] of memory;
//!   [`depth`]: how many runs are read at the same time; [`passes`]: some merged first, where more overlap
//! - `checksum`: whether a run is as it was written
//! - [`elsewhere`]: a plan that somebody else made
//! - [`manifest`]: which runs there are, and what is still to be listed; [`doubts`]: keys whose order
//!   nothing has proven yet
//! - [`commit`]: who makes a manifest the job's own
//! - [`store`]: where plans are kept; [`retried`]: a store that is asked again

pub mod budget;
mod checksum;
pub mod commit;
pub mod depth;
pub mod doubts;
pub mod elsewhere;
pub mod manifest;
pub mod merge;
pub mod passes;
pub mod position;
pub mod reader;
pub mod retried;
pub mod run;
pub mod store;
