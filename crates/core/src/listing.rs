//! Listings of a versioned bucket, read: pages, rows, and the order they prove.
//!
//! - [`lister`]: the port, a versioned bucket
//! - [`page`]: one page of `ListObjectVersions`, in document order, as [`rows`]
//! - [`version`]: one entry; [`rank`]: the bucket's own order within a key: ranks and effective times
//! - [`repeats`]: what is listed twice; [`ways`]: how a key may have been listed; [`dialect`]: what that
//!   proves of the server

pub mod dialect;
pub mod lister;
pub mod page;
pub mod rank;
pub mod repeats;
pub mod rows;
pub mod version;
pub mod ways;
