//! Which versions a reseed tells of.

use serde::{Deserialize, Serialize};

use crate::event::Change;
use crate::time::Millis;
use crate::version::PlannedRef;

/// `events` of a start request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// Versions and delete markers.
    #[default]
    All,
    /// Versions only.
    Created,
    /// Delete markers only.
    Removed,
}

/// The options that choose. Positions do not depend on them: ranks and effective times are taken
/// from a key's whole history first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Keys that begin so (asked of the server).
    pub prefix: String,
    /// Keys that end so.
    pub suffix: String,
    /// Effective time not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Millis>,
    /// Effective time before: ranges `[a, b)` and `[b, c)` share nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// Kinds of change.
    pub events: Events,
    /// The present state: latest versions that are not deleted.
    pub current_only: bool,
}

impl Filter {
    /// Whether `planned` is told of.
    #[must_use]
    pub fn keeps(&self, planned: &PlannedRef<'_>) -> bool {
        let version = planned.version;
        let kind = match self.events {
            Events::All => true,
            Events::Created => planned.change() == Change::Created,
            Events::Removed => planned.change() == Change::Removed,
        };
        kind && version.key.starts_with(self.prefix.as_str())
            && version.key.ends_with(self.suffix.as_str())
            && self.from.is_none_or(|from| planned.effective_time >= from)
            && self
                .until
                .is_none_or(|until| planned.effective_time < until)
            && (!self.current_only || (version.is_latest && !version.is_delete_marker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::VersionRef;

    fn planned(key: &str, time: i64, is_delete_marker: bool, is_latest: bool) -> PlannedRef<'_> {
        PlannedRef {
            effective_time: Millis(time),
            rank: 0,
            version: VersionRef {
                key,
                version_id: "v",
                last_modified: Millis(time),
                is_latest,
                is_delete_marker,
                size: None,
                e_tag: None,
            },
        }
    }

    #[test]
    fn each_option_chooses() {
        let all = Filter::default();
        let put = planned("a/1.json", 10, false, true);
        let old = planned("a/1.json", 5, false, false);
        let deleted = planned("b/2.json", 20, true, true);
        let chosen = |filter: &Filter| [&old, &put, &deleted].map(|planned| filter.keeps(planned));
        assert_eq!(chosen(&all), [true, true, true]);
        let with = |change: fn(&mut Filter)| {
            let mut filter = all.clone();
            change(&mut filter);
            chosen(&filter)
        };
        assert_eq!(with(|f| f.prefix = "a/".into()), [true, true, false]);
        assert_eq!(with(|f| f.suffix = "2.json".into()), [false, false, true]);
        assert_eq!(with(|f| f.from = Some(Millis(10))), [false, true, true]);
        assert_eq!(with(|f| f.until = Some(Millis(10))), [true, false, false]);
        assert_eq!(with(|f| f.events = Events::Created), [true, true, false]);
        assert_eq!(with(|f| f.events = Events::Removed), [false, false, true]);
        assert_eq!(with(|f| f.current_only = true), [false, true, false]);
    }
}
