//! The history path of S3 SQS Bridge: a bucket's versions read, ordered, and sent as a job.
//!
//! - [`id`]: what names a job, and which of its segments speaks
//! - [`scan`]: lists the bucket into a plan
//! - [`plan`]: the frozen, sorted list of what will be sent
//! - [`send`]: the plan through the lanes into the queue
//! - [`job`]: one replay: phase, checkpoint, lease, segments
//! - [`api`]: what the interface's actions do
//! - [`verify`]: what a consumer got, against the bucket

pub mod api;
pub mod id;
pub mod job;
pub mod plan;
pub mod scan;
pub mod send;
pub mod verify;
