//! The interface of jobs.
//!
//! - [`request`]: its input; [`start`]: the options of a reseed, checked
//! - [`mod@act`]: from an action to its answer; [`actions`]: what start, status, pause … do; [`list`]: the jobs there are,
//!   in pages; `hold`: what is told of a hold, and the end of one that nobody else ends
//! - `then`: whether live changes may follow a job, and a job may start beside
//! - `plan`: whether a plan from elsewhere may be sent
//! - [`queue`]: whether the queue of a job to start may be used
//! - [`answer`]: a job as it is shown; [`event`]: as it is told to others

pub mod act;
pub mod actions;
pub mod answer;
pub mod event;
pub mod hold;
pub mod list;
mod plan;
pub mod queue;
pub mod request;
pub mod start;
mod then;
