//! The AWS adapters of the ports in `bridge-core`.
//!
//! - [`sdk`]: one configuration for all clients: endpoints, timeouts, no retries of its own
//! - [`bounded`]: answers are read up to a bound
//! - [`queue`]: the queue, SQS
//! - [`logging`]: structured JSON logs; with the feature `metrics`, [`metrics`]: counts in them
//!
//! With the feature `reseed`:
//!
//! - [`lister`]: `ListObjectVersions` as the response document, past the SDK's parser
//! - [`plans`]: runs and manifests in S3
//! - [`jobs`]: job states in `DynamoDB`, every write conditional
//! - [`watched`]: how the bucket is set up
//! - [`continuation`]: the next segment, by an asynchronous invocation

pub mod bounded;
#[cfg(feature = "reseed")]
pub mod continuation;
#[cfg(feature = "reseed")]
pub mod jobs;
#[cfg(feature = "reseed")]
pub mod lister;
pub mod logging;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "reseed")]
pub mod plans;
pub mod queue;
pub mod sdk;
#[cfg(feature = "reseed")]
pub mod watched;
