//! What a consumer got, against what the bucket has: nothing missing, nothing made up, nothing changed, in
//! order (docs/EVENTS.md, "Proving a copy").
//!
//! Both sides become records that are sorted outside of memory by key and version, and are compared as one
//! stream: memory is the same for any number of them.
//!
//! - [`scope`]: what is to be compared
//! - [`intake`]: both sides, taken in; [`message`]: what one line of a consumer's file tells
//! - [`record`]: a line's event, or a row of the plan, as sorted bytes; `part` and `number`: what it is made of
//! - [`sorter`]: bytes sorted outside of memory; `chunk`: what of them is in memory; [`spilled`]: what is not;
//!   [`scratch`]: the port of where that is kept
//! - [`compare`]: the sorted stream, version by version; `version`: the records of one; `order`: whether the
//!   versions of a key came in order
//! - [`report`]: what was found; [`heal`]: what is to be sent again; `placed`: its records

mod chunk;
pub mod compare;
pub mod heal;
pub mod intake;
pub mod message;
mod number;
mod order;
mod part;
mod placed;
pub mod record;
pub mod report;
pub mod scope;
pub mod scratch;
pub mod sorter;
pub mod spilled;
mod version;
