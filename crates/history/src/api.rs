//! The interface of jobs.
//!
//! - [`request`]: its input; [`actions`]: what start, status, pause … do; [`list`]: the jobs there are,
//!   in pages

pub mod actions;
pub mod list;
pub mod request;
