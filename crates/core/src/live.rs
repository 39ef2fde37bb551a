//! Live order: what realtime does about notifications that come late, swapped or twice
//! (docs/EVENTS.md, "What each setting promises").
//!
//! - [`exact`]: what is sent is read from the bucket
//! - [`newest`]: a change that is older than one of its key that was sent is not sent
//! - [`place`]: how far a key has been sent
//! - [`store`]: the port where the places of all keys are kept
//! - [`stream`]: the port of what holds for all keys; [`hold`]: whether it lets anything live through, and what of it
//!   a reseed has sent

pub mod exact;
pub mod hold;
pub mod newest;
pub mod place;
pub mod store;
pub mod stream;
