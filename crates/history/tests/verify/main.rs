//! `verify` is a proof: whatever is removed, repeated, swapped or altered, exactly that is named.

mod cases;
mod copies;
mod memory;
mod sorting;
