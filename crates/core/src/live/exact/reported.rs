//! What notifications report.

use crate::event::Event;

/// A notification.
#[derive(Debug, Clone, Copy)]
pub struct Reported<'a> {
    /// What it says.
    pub event: &'a Event,
    /// Its source has handed it over before: whoever got it then may hold the key, and be dead.
    pub is_repeated: bool,
}

impl Reported<'_> {
    /// Whether the version may be listed with an older time than that of its coming
    /// ([`super::version::Version::is_dated_back`]).
    #[must_use]
    pub fn is_dated_back(&self) -> bool {
        let e_tag = self.event.e_tag.as_deref();
        let is_of_parts = e_tag.is_some_and(|tag| tag.contains('-'));
        let names = [
            "ObjectCreated:CompleteMultipartUpload",
            "LifecycleExpiration:DeleteMarkerCreated",
        ];
        is_of_parts || names.contains(&self.event.event_name.as_str())
    }
}

/// The change of this number.
pub(super) fn at<'a>(changes: &[Reported<'a>], number: u64) -> Option<&'a Event> {
    let change = changes.get(usize::try_from(number).ok()?)?;
    Some(change.event)
}
