//! The live table on one machine: a database in one file of the state directory, for `LIVE_ORDER` `newest` and `exact`
//! where there is no `DynamoDB`.
//!
//! - `database`: the file, and the one thread that writes it
//! - `item`: what is kept of a key, and what a claim, a mark and a return do to it
//! - [`table`]: both together; `places`: the port as `newest` uses it; `keys`: as `exact` does; [`stream`]: what holds
//!   for all keys
//!
//! A call is answered when what it wrote is on the disk.

mod database;
mod item;
mod keys;
mod places;
pub mod stream;
pub mod table;
