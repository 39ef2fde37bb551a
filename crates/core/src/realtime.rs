//! The realtime path as a whole: what a source hands over, into messages of the queue. The Lambda function and
//! `serve` are shells around it.
//!
//! - [`forwarder`]: documents and batches, filtered, in order, sent; [`error`]: why that failed
//! - [`gate`]: whether anything may be sent now; [`send`]: what of it is, as `LIVE_ORDER` says; [`exact`]: what is
//!   read from the bucket
//! - `order`: what one batch has of a key; `lag`: how late it came
//! - `action`: what operators ask
//! - [`invocation`]: the time and the name of one piece of work

mod action;
pub mod error;
pub mod exact;
pub mod forwarder;
pub mod gate;
pub mod invocation;
mod lag;
mod order;
pub mod send;
