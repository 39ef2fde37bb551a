//! Listing the bucket (`bridge_core::listing`) into sorted runs, checkpointed.
//!
//! - [`keyspace`]: ranges listed at the same time; `range`: one of them, page by page;
//!   `assembly`: whole keys out of its pages
//! - [`split`]: which range to cut for an idle lister, and where; `alphabet`: what keys look like, `cut`: texts between two keys
//! - [`filter`]: which versions a reseed reports; [`buffer`]: what has been listed and is in no run yet
//! - [`adopt`]: instead of a listing, a plan from elsewhere
//! - [`scanner`]: one scan from its first request to its last run; `progress`: how far
//!   it has come
//!
//! A key is taken into a run only when all its versions are known, so a checkpoint is the list of
//! ranges still to be read, beside the runs that hold the rest.

pub mod adopt;
mod alphabet;
mod assembly;
pub mod buffer;
mod cut;
pub mod error;
pub mod filter;
pub mod keyspace;
mod progress;
mod range;
pub mod scanner;
pub mod split;
