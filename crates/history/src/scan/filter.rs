//! Which versions a reseed reports.

use bridge_core::event::Change;
use bridge_core::listing::rows::Listing;
use bridge_core::listing::version::PlannedRef;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

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
    pub from: Option<Timestamp>,
    /// Effective time before: ranges `[a, b)` and `[b, c)` share nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Kinds of change.
    pub events: Events,
    /// The state at `until`: of each key the newest version before it, unless that is a delete marker.
    pub current_only: bool,
}

impl Filter {
    /// Keeps what is reported. `complete` holds whole keys, each key's versions newest first.
    pub fn choose(&self, complete: &mut [Listing]) {
        let mut decided: Option<String> = None;
        for listing in complete {
            listing.retain(|planned| {
                if self.current_only {
                    let too_late = self.until.is_some_and(|t| planned.effective_time >= t);
                    if too_late || decided.as_deref() == Some(planned.version.key) {
                        return false;
                    }
                    decided = Some(planned.version.key.to_owned());
                }
                self.keeps(planned)
            });
        }
    }

    /// Whether a key is reported at all, going by its name.
    #[must_use]
    pub fn takes_key(&self, key: &str) -> bool {
        key.starts_with(self.prefix.as_str()) && key.ends_with(self.suffix.as_str())
    }

    /// Whether a version is reported, going by itself; with `current_only` its key's newest one.
    pub(crate) fn keeps(&self, planned: &PlannedRef<'_>) -> bool {
        let version = planned.version;
        let kind = match self.events {
            Events::All => true,
            Events::Created => planned.change() == Change::Created,
            Events::Removed => planned.change() == Change::Removed,
        };
        kind && self.takes_key(version.key)
            && self.from.is_none_or(|from| planned.effective_time >= from)
            && self
                .until
                .is_none_or(|until| planned.effective_time < until)
            && (!self.current_only || !version.is_delete_marker)
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::rows::Builder;
    use bridge_core::listing::version::VersionRef;

    use super::*;

    /// A key's versions, newest first: time, delete marker or not.
    fn listing(keys: &[(&str, &[(i64, bool)])]) -> Listing {
        let mut builder = Builder::default();
        for (key, versions) in keys {
            for (time, is_delete_marker) in *versions {
                builder.push(VersionRef {
                    key,
                    version_id: &time.to_string(),
                    last_modified: Timestamp(*time),
                    is_latest: false,
                    is_delete_marker: *is_delete_marker,
                    size: None,
                    e_tag: None,
                });
            }
        }
        builder.finish()
    }

    fn chosen(filter: &Filter, mut complete: Vec<Listing>) -> Vec<String> {
        filter.choose(&mut complete);
        let rows = complete.iter().flat_map(Listing::iter);
        rows.map(|row| format!("{}@{}", row.version.key, row.version.version_id))
            .collect()
    }

    fn with(change: fn(&mut Filter)) -> Filter {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn each_option_chooses() {
        let all = || {
            let (a, b) = ([(10, false), (5, false)], [(20, true)]);
            vec![listing(&[("a/1.json", &a), ("b/2.json", &b)])]
        };
        let [new, old, deleted] = ["a/1.json@10", "a/1.json@5", "b/2.json@20"];
        for (filter, expected) in [
            (Filter::default(), vec![new, old, deleted]),
            (with(|f| f.prefix = "a/".into()), vec![new, old]),
            (with(|f| f.suffix = "2.json".into()), vec![deleted]),
            (with(|f| f.from = Some(Timestamp(10))), vec![new, deleted]),
            (with(|f| f.until = Some(Timestamp(10))), vec![old]),
            (with(|f| f.events = Events::Created), vec![new, old]),
            (with(|f| f.events = Events::Removed), vec![deleted]),
            (with(|f| f.current_only = true), vec![new]),
        ] {
            assert_eq!(chosen(&filter, all()), expected, "{filter:?}");
        }
    }

    /// What was overwritten, deleted or brought back after `until` was as it was.
    #[test]
    fn the_present_state_is_that_at_until() {
        let at = |until| Filter {
            until: Some(Timestamp(until)),
            current_only: true,
            ..Filter::default()
        };
        let keys = || {
            vec![listing(&[
                ("changed", &[(30, false), (10, false)]),
                ("deleted", &[(30, true), (10, false)]),
                ("new", &[(30, false)]),
                ("undeleted", &[(30, false), (20, true), (10, false)]),
            ])]
        };
        assert_eq!(
            chosen(&at(20), keys()),
            ["changed@10", "deleted@10", "undeleted@10"]
        );
        assert_eq!(chosen(&at(25), keys()), ["changed@10", "deleted@10"]);
        assert_eq!(
            chosen(&at(31), keys()),
            ["changed@30", "new@30", "undeleted@30"]
        );
    }

    #[test]
    fn the_present_state_of_a_key_on_several_pages_is_one_version() {
        let parts = vec![
            listing(&[("hot", &[(40, false), (30, false)])]),
            listing(&[("hot", &[(20, false), (10, false)])]),
        ];
        let filter = with(|f| (f.current_only, f.until) = (true, Some(Timestamp(25))));
        assert_eq!(chosen(&filter, parts), ["hot@20"]);
    }
}
