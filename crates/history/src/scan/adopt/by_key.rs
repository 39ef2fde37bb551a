//! The newest version of each key of a plan, which is sorted by time: its rows are filed by key first, in runs as
//! a plan's, and read again in the order of keys. All of them: of rows that are left out nobody would see that they are
//! there twice. No I/O.

use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;

use crate::plan::store::PlanError;

/// A row whose place in a run is its key's: its times are kept elsewhere. The effective time takes the place of
/// the last modification's, and that stands before the version id.
pub(super) fn file(row: PlannedVersion) -> PlannedVersion {
    let PlannedVersion {
        effective_time,
        rank,
        mut version,
    } = row;
    version.version_id = format!("{}:{}", version.last_modified.0, version.version_id);
    version.last_modified = effective_time;
    PlannedVersion {
        effective_time: Timestamp(0),
        rank,
        version,
    }
}

/// The row that was [filed](file).
///
/// # Errors
/// [`PlanError::Damaged`] when it was none.
pub(super) fn take_out(filed: PlannedVersion) -> Result<PlannedVersion, PlanError> {
    let PlannedVersion {
        rank, mut version, ..
    } = filed;
    let parts = version.version_id.split_once(':');
    let parts = parts.and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
    let Some((last_modified, version_id)) = parts else {
        let reason = format!("a row of key {:?} has no time", version.key);
        return Err(PlanError::damaged("of rows by key", reason));
    };
    let effective_time = std::mem::replace(&mut version.last_modified, Timestamp(last_modified));
    version.version_id = version_id;
    Ok(PlannedVersion {
        effective_time,
        rank,
        version,
    })
}

/// The last row of each key, of rows in the order of keys and ranks.
#[derive(Debug, Default)]
pub(super) struct Newest {
    held: Option<PlannedVersion>,
}

impl Newest {
    /// Takes the next row in, or the end, and gives the newest of the key before, if that ends.
    pub(super) fn next(&mut self, row: Option<PlannedVersion>) -> Option<PlannedVersion> {
        let before = std::mem::replace(&mut self.held, row);
        let is_same = |before: &PlannedVersion| {
            let held = self.held.as_ref();
            held.is_some_and(|held| held.version.key == before.version.key)
        };
        before.filter(|before| !is_same(before))
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::version::ObjectVersion;

    use super::*;

    fn row(key: &str, rank: u64) -> PlannedVersion {
        PlannedVersion {
            effective_time: Timestamp(7),
            rank,
            version: ObjectVersion {
                key: key.to_owned(),
                version_id: "a:b".to_owned(),
                last_modified: Timestamp(-5),
                is_latest: true,
                is_delete_marker: false,
                size: Some(3),
                e_tag: None,
            },
        }
    }

    #[test]
    fn what_is_filed_is_found_again() {
        let filed = file(row("k", 2));
        assert_eq!(filed.order_key(), (Timestamp(0), "k", 2));
        assert_eq!(take_out(filed).unwrap(), row("k", 2));
        assert!(take_out(row("k", 2)).is_err());
    }

    #[test]
    fn each_key_gives_its_last_row_once() {
        let mut newest = Newest::default();
        let rows =
            [("a", 0), ("a", 4), ("b", 1), ("c", 0), ("c", 1)].map(|(key, rank)| row(key, rank));
        let given = rows.into_iter().map(Some).chain([None]);
        let found: Vec<_> = given.filter_map(|row| newest.next(row)).collect();
        assert_eq!(found, [row("a", 4), row("b", 1), row("c", 1)]);
    }
}
