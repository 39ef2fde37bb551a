//! The documents that are broken: `corpus/TARGET` of this crate, and what the tests of the readers have.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// All documents of a target by path, sorted, so that a seed always means the same.
///
/// # Errors
/// When a folder cannot be read, or there is nothing.
pub fn read(target: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("corpus").join(target)];
    folders.extend(match target {
        "page" => vec![here.join("../history/tests/fixtures/listings")],
        "notification" => vec![here.join("../core/tests/fixtures/notifications")],
        _ => Vec::new(),
    });
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let files = std::fs::read_dir(&folder);
        let files = files.with_context(|| format!("reading {}", folder.display()))?;
        for file in files {
            paths.push(file?.path());
        }
    }
    paths.retain(|path| !path.to_string_lossy().ends_with(".expected.json"));
    paths.sort();
    if paths.is_empty() {
        bail!("there is no corpus for {target}");
    }
    let read =
        |path: &PathBuf| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    paths.iter().map(read).collect()
}
