//! The AWS adapters of the ports.
//!
//! - [`sdk`]: one configuration for all clients: endpoints, timeouts, no retries of its own
//! - [`request_error`]: what an SDK error says, and whether to try again
//! - [`bounded`]: answers are read up to a bound
//! - `http`: HTTP/1.1, of the small client
//! - [`signed`]: a small client for what realtime asks of AWS, past the SDK's orchestrator
//! - [`queue`]: the queue, SQS; [`sender`]: by which client
//! - [`live`]: the live table, `DynamoDB`; [`keys`]: the same as `exact` uses it; [`stream`]: its item that all
//!   keys share
//! - [`realtime`]: these put together, as realtime works with them
//! - [`logging`]: structured JSON logs; [`metrics`]: counts in them, in the embedded format of `CloudWatch`
//!
//! With the feature `history`, the ports of the history path:
//!
//! - [`machine`]: the configuration from profiles, roles and the metadata service
//! - [`lister`]: `ListObjectVersions` as the response document, past the SDK's parser
//! - [`plans`]: runs and manifests in S3
//! - [`jobs`]: job states in `DynamoDB`, every write conditional; [`job_stream`]: what its stream hands over
//! - [`event_bus`]: where others are told of them
//! - [`queues`]: any queue by its URL
//! - [`watched`]: how the bucket is set up; [`bucket_clock`]: its time
//! - [`continuation`]: the next segment, by an asynchronous invocation; [`mapping`]: the buffer's event source mapping

pub mod bounded;
#[cfg(feature = "history")]
pub mod bucket_clock;
#[cfg(feature = "history")]
pub mod continuation;
#[cfg(feature = "history")]
pub mod event_bus;
mod http;
#[cfg(feature = "history")]
pub mod job_stream;
#[cfg(feature = "history")]
pub mod jobs;
pub mod keys;
#[cfg(feature = "history")]
pub mod lister;
pub mod live;
pub mod logging;
#[cfg(feature = "history")]
pub mod machine;
#[cfg(feature = "history")]
pub mod mapping;
pub mod metrics;
#[cfg(feature = "history")]
pub mod plans;
pub mod queue;
#[cfg(feature = "history")]
pub mod queues;
pub mod realtime;
pub mod request_error;
pub mod sdk;
pub mod sender;
pub mod signed;
pub mod stream;
#[cfg(feature = "history")]
pub mod watched;
