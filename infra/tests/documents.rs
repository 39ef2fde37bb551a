//! Documents name files that are there.

use std::path::{Path, PathBuf};

use regex_lite::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a folder, but what is built or hidden.
fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && (!name.starts_with('.') || name == ".github") {
                collect(&path, found);
            }
        } else {
            found.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
}

/// Records and the changelog tell of what was: they may name what is gone.
#[test]
fn every_file_that_a_document_names_is_there() {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    let named = Regex::new(r"`([\w./-]+\.(?:rs|toml|yaml|md|py|sh|patch))`").unwrap();
    let mut seen = 0;
    let is_document = |file: &&String| {
        let path = Path::new(file);
        let is_of_the_past = file.contains("decisions/") || path.ends_with("CHANGELOG.md");
        path.extension().is_some_and(|end| end == "md") && !is_of_the_past
    };
    for document in files.iter().filter(is_document) {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for name in named.captures_iter(&text).map(|found| found[1].to_owned()) {
            let end = format!("/{name}");
            let is_there = files
                .iter()
                .any(|file| *file == name || file.ends_with(&end));
            let is_pattern = name.contains("NAME");
            assert!(
                is_there || is_pattern,
                "{document} names {name}: there is no such file"
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} names were found");
}
