//! What both paths of S3 SQS Bridge share. It knows S3's and SQS's rules and no AWS SDK.
//!
//! The way the data goes, a module a word:
//!
//! ```text
//! notification ──> event ──> queue                       (realtime)
//! listing ──> bridge_history ──> event ──> queue         (reseed)
//! ```
//!
//! - [`notification`]: what S3 (directly, by `EventBridge`, SNS or SQS) reports of a change
//! - [`listing`]: what `ListObjectVersions` says of a bucket
//! - [`event`]: what a consumer reads, and [`mod@format`]: how it is written into a message
//! - [`queue`]: the port, its order, and what the next request may hold
//! - [`forward`]: a handful of messages, delivered now or handed back
//! - [`failure`]: whether a call that failed is worth making again; [`limiter`]: how many are in flight
//! - [`retry`]: trying again what may work the next time
//! - [`live`]: what realtime sends of changes that come late or swapped
//! - [`realtime`]: all of that in one: what a source hands over, forwarded
//! - [`watched`]: whether a bucket is set up so that its changes arrive
//! - [`config`]: the environment, checked at the door
//! - [`timestamp`], [`clock`]: milliseconds, and who tells them; [`text`]: foreign texts, made fit to be
//!   shown

pub mod clock;
pub mod config;
pub mod event;
pub mod failure;
pub mod format;
pub mod forward;
pub mod limiter;
pub mod listing;
pub mod live;
pub mod notification;
pub mod queue;
pub mod realtime;
pub mod retry;
pub mod text;
pub mod timestamp;
pub mod watched;
