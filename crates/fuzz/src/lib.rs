//! Whatever comes from outside, broken at random: no panic, and no more memory than it deserves.
//!
//! - [`targets`]: what is fed, a file each; [`corpus`]: the documents that are broken
//! - [`mutate`]: how they are broken
//! - [`run`]: trying one after the other, and what was found
//!
//! `cargo xtask fuzz` runs them for minutes, the default tests for some hundred inputs each
//! (docs/decisions/0022-fuzzing.md).

pub mod corpus;
pub mod mutate;
pub mod run;
pub mod targets;

use peak_alloc::PeakAlloc;

/// Counts what is allocated, in whatever links this crate.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;
