//! Dev only: simulated ports for tests of the promises.
//!
//! - [`bucket`]: a versioned bucket that answers with listing documents
//! - [`queue`]: a FIFO queue that keeps SQS's rules: groups, deduplication, batch answers
//! - [`parking`]: the failure queue; [`queues`]: both, as a job opens them
//! - [`store`]: plans and jobs in memory, with conditional writes
//! - [`asleep`]: a machine that stands still for a time
//! - [`faults`]: what goes wrong, and when: one seed, one trace
//! - [`conformance`]: what every adapter of a port must do
//! - [`consumer`]: what messages hold, read as a consumer reads them
//! - [`scenario`]: one job in a world where anything fails, drawn from a seed;
//!   [`operator`]: somebody who changes their mind while it runs;
//!   [`delivered`]: the check of what arrived; [`parked`]: of what was parked
//! - [`told`]: what is told of jobs, and its check
//! - [`seeds`]: many of them, up to the first that breaks something
//! - [`world`]: a whole stack on simulated time: segments, continuations, kills, the sweep
//! - [`live`]: live changes, their notifications and invocations in such a world
//! - [`stream`]: the live table's item that all keys share
//! - [`follow`]: a job that live changes follow, with both paths in one world
//! - [`transcript`]: commands of a document, typed again
//! - [`load`]: an HTTP server for benchmarks: buckets of any size, queues that count and check

pub mod asleep;
pub mod bucket;
pub mod conformance;
pub mod consumer;
pub mod delivered;
pub mod faults;
pub mod follow;
pub mod live;
pub mod load;
pub mod operator;
pub mod parked;
pub mod parking;
pub mod queue;
pub mod queues;
pub mod scenario;
pub mod seeds;
pub mod store;
pub mod stream;
mod struck;
pub mod told;
pub mod transcript;
pub mod world;
