//! Which file a path is of, whatever it is called: what a run writes is nothing else that it reads or writes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf, absolute};

/// Links that lead from one to another to what is not there yet, at most: more than systems follow.
const MOST_LINKS: u32 = 64;

/// What of a state directory is this program's. Beside these a file may lie.
const OF_STATE: [&str; 4] = ["jobs", "lock", "live.redb", "removed"];

/// Whether a file would be the state directory, or what the program keeps there.
pub(crate) fn is_of_state(path: &Path, state: &Path) -> bool {
    let (path, state) = (place(path), place(state));
    let mut own = OF_STATE.iter().map(|name| state.join(name));
    path == state || own.any(|own| path.starts_with(own))
}

/// Whether two paths are of one file, also by links of either kind, or where it is not there yet.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => place(one) == place(other),
        _ => false,
    }
}

/// Where a file is, or would be made.
pub(crate) fn place(path: &Path) -> PathBuf {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    follow(&path, MOST_LINKS)
}

fn follow(path: &Path, links: u32) -> PathBuf {
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            part => place.push(part),
        }
        if let Ok(found) = place.canonicalize() {
            place = found;
        } else if links > 0
            && let Ok(target) = place.read_link()
        {
            // It leads to what is not there yet, and would be made by it.
            place.pop();
            place = follow(&place.join(target), links - 1);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_file_is_known_by_any_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        std::fs::write(of("there"), "").unwrap();
        std::fs::hard_link(of("there"), of("hard")).unwrap();
        symlink(folder.path(), of("link")).unwrap();
        symlink("new", of("to-new")).unwrap();
        symlink(of("none/../to-new"), of("to-to-new")).unwrap();
        symlink("loop", of("loop")).unwrap();
        for (one, other, expected) in [
            ("there", "link/there", true),
            ("there", "hard", true),
            ("new", "link/./new", true),
            ("new", "link/../new", false),
            ("new", "to-new", true),
            ("link/new", "to-to-new", true),
            ("none/new", "none/../none/new", true),
            ("new", "newer", false),
            ("there", "new", false),
            ("loop", "new", false),
        ] {
            assert_eq!(is_same(&of(one), &of(other)), expected, "{one} {other}");
            assert_eq!(is_same(&of(other), &of(one)), expected, "{other} {one}");
        }
        assert!(is_same("report.html".as_ref(), "./report.html".as_ref()));
    }
}
