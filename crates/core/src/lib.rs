//! The domain of S3 SQS Bridge. It knows S3's and SQS's rules and no AWS SDK.
//!
//! The way the data goes, a module a word:
//!
//! ```text
//! notification ──> event ──> delivery                       (realtime)
//! scan ──> plan ──> merge ──> event ──> delivery            (reseed)
//!           └── job: checkpoint, lease, continuation ──┘
//! ```
//!
//! - [`notification`]: what S3 (directly, by `EventBridge`, SNS or SQS) tells about a change
//! - [`event`]: what a consumer reads, and [`format`]: how it is written into a message
//! - [`delivery`]: lanes that send messages in order and keep trying
//! - [`watched`]: whether a bucket is set up so that its changes arrive
//! - [`config`]: the environment, checked at the door
//! - [`time`], [`clock`]: milliseconds, and who tells them
//!
//! With the feature `plan`, what only a reseed needs:
//!
//! - [`version`]: one entry of `ListObjectVersions`, and its [`version::Position`]
//! - [`scan`]: pages, the bucket's own order, key ranges and their cursors
//! - [`plan`]: sorted runs and their manifest; [`merge`]: the runs as one stream
//! - [`job`]: phases, lease and epoch, one segment, and the actions of the interface
//! - [`retry`]: trying again what may work the next time
//!
//! With the feature `local`: [`local`], adapters of the ports for one machine.
//!
//! Ports (traits with an AWS and a simulated adapter) live beside their users:
//! [`delivery::Queue`], [`clock::Clock`], [`scan::Lister`], [`plan::PlanStore`],
//! [`job::JobStore`], [`job::Continuation`].

pub mod clock;
pub mod config;
pub mod delivery;
pub mod event;
pub mod format;
#[cfg(feature = "plan")]
pub mod job;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "plan")]
pub mod merge;
#[doc(hidden)]
pub mod mistake;
pub mod notification;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "plan")]
pub mod retry;
#[cfg(feature = "plan")]
pub mod scan;
pub mod text;
pub mod time;
#[cfg(feature = "plan")]
pub mod version;
pub mod watched;
