//! Queues: the port, what goes into one, and what the next request may hold.
//!
//! - [`port`]: what senders ask of a queue; [`error`]: why it does not take a message
//! - [`ordering`]: which order it keeps, and how; [`message`]: one entry, made from an event
//! - [`batch`]: what waits, and what the next request may hold (pure)
//! - [`undeliverable`]: messages that no repetition helps: named, and taken apart
//! - [`permission`]: whether messages may be sent, asked without sending one

pub mod batch;
pub mod error;
pub mod message;
pub mod ordering;
pub mod permission;
pub mod port;
pub mod undeliverable;
