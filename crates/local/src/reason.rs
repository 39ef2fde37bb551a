//! Why a file or a folder cannot be had, in words that name it.

use std::io::{self, ErrorKind};
use std::path::Path;

/// What the file system's refusal of `path` means: the first folder that is not there, or what is a file and no
/// directory.
#[must_use]
pub fn reason(path: &Path, error: &io::Error) -> String {
    let name = path.display();
    let above = || {
        path.ancestors()
            .skip(1)
            .filter(|folder| *folder != Path::new(""))
    };
    match error.kind() {
        ErrorKind::NotFound => match above().filter(|folder| !folder.exists()).last() {
            Some(folder) => format!("there is no folder {}", folder.display()),
            None => format!("there is no file {name}"),
        },
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            let mut all = path.ancestors();
            let file = all.find(|place| place.exists() && !place.is_dir());
            let file = file.unwrap_or(path).display();
            format!("{file} is a file, not a directory")
        }
        ErrorKind::IsADirectory => format!("{name} is a directory, not a file"),
        _ => format!("{name}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_and_what_is_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("file"), "").unwrap();
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap_err();
        let make = |name: &str| std::fs::create_dir(folder.join(name)).unwrap_err();
        for (name, error, expected) in [
            ("none", read("none"), "there is no file FOLDER/none"),
            ("a/b/none", read("a/b/none"), "there is no folder FOLDER/a"),
            (
                "file/x",
                read("file/x"),
                "FOLDER/file is a file, not a directory",
            ),
            (
                "file",
                make("file"),
                "FOLDER/file is a file, not a directory",
            ),
            (".", read("."), "FOLDER/. is a directory, not a file"),
            (
                "x",
                ErrorKind::StorageFull.into(),
                "FOLDER/x: no storage space",
            ),
        ] {
            let expected = expected.replace("FOLDER", &folder.display().to_string());
            assert_eq!(reason(&folder.join(name), &error), expected);
        }
        let none = ErrorKind::NotFound.into();
        assert_eq!(
            reason(Path::new("no-such/x"), &none),
            "there is no folder no-such"
        );
        assert_eq!(
            reason(Path::new("no-such"), &none),
            "there is no file no-such"
        );
    }
}
