//! What a filter leaves, as facts of a page.

use bridge_history::scan::filter::{Events, Filter};

/// A name, and its value.
pub(crate) type Fact = (&'static str, String);

/// Of which keys.
pub(crate) fn keys(filter: &Filter) -> impl Iterator<Item = Fact> {
    let texts = [("Prefix", &filter.prefix), ("Suffix", &filter.suffix)];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    texts.map(|(name, text)| (name, text.clone()))
}

/// Which of their versions.
pub(crate) fn kinds(filter: &Filter) -> impl Iterator<Item = Fact> {
    let events = match filter.events {
        Events::All => None,
        Events::Created => Some("object versions"),
        Events::Removed => Some("delete markers"),
    };
    let state = filter.current_only.then_some("the present state");
    let kinds = events.into_iter().chain(state);
    kinds.map(|kind| ("Only", kind.to_owned()))
}
