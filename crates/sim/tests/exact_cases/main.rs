//! Cases of `LIVE_ORDER=exact`, each of which once went wrong (docs/decisions/0028): one key, one bucket, and a
//! table and a queue that do as they are told.

mod stack;
mod stopped;
mod table;
mod versions;
