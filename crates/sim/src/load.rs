//! An HTTP server for load: synthetic versioned buckets of any size, and queues that check what
//! arrives. Nothing is kept but counts, so that a hundred million versions need no memory.
//!
//! - [`shape`]: which keys and versions a bucket has, computed from [`numbers`]
//! - [`every_kind`]: a bucket of all that is hard; [`kinds`]: of which kinds of keys
//! - [`listing`]: `ListObjectVersions` over them; [`written`]: over what a bench puts while it runs
//! - [`sqs`]: `SendMessage` and `SendMessageBatch`, with MD5s
//! - [`inbox`]: a queue that hands notifications over; [`webhook`]: who hands them over by HTTP
//! - [`server`]: HTTP, latency and throttling
//! - [`lambda`]: Lambda's Runtime API around a function; [`process`]: a program that is measured
//!
//! It is for load only: whether the project works is tested on an emulator that others wrote.

pub mod every_kind;
pub mod inbox;
pub mod kinds;
pub mod lambda;
pub mod listing;
pub mod numbers;
pub mod process;
pub mod server;
pub mod shape;
pub mod sqs;
pub mod webhook;
pub mod written;
