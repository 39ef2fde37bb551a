//! Live order: what realtime does about notifications that come late, swapped or twice
//! (docs/EVENTS.md, "What each setting promises").
//!
//! - [`newest`]: a change that is older than one of its key that was sent is not sent
//! - [`place`]: how far a key has been sent
//! - [`store`]: the port where the places of all keys are kept

pub mod newest;
pub mod place;
pub mod store;

use std::str::FromStr;

/// `LIVE_ORDER`: which changes realtime sends, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveOrder {
    /// What comes, as it comes; what one batch has of a key is sorted.
    #[default]
    Notified,
    /// Of each key only what is newer than all that was sent of it.
    Newest,
}

impl FromStr for LiveOrder {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "notified" => Ok(Self::Notified),
            "newest" => Ok(Self::Newest),
            _ => Err("notified or newest"),
        }
    }
}
