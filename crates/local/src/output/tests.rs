//! Which files a job may write to, and what a resume removes.

use std::time::Duration;

use serde_json::json;

use super::*;

const JOB: &str = "20240501-1a2b3c4d-1";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn claim(&self, path: &Path, existing: Existing) -> Result<(), OutputError> {
        claim(&self.path("state"), JOB, path, existing)
    }

    /// Where the claim is.
    fn claimed(&self) -> PathBuf {
        self.path("state/jobs").join(JOB).join("output.json")
    }

    fn open(&self, path: &Path) -> Result<Output, OutputError> {
        Output::open(&self.path("state"), JOB, path)
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_that_is_there_is_refused_and_left_byte_for_byte() {
    let folder = Folder::new();
    for before in ["", "theirs\n", "theirs\ncut sh"] {
        let path = folder.write("out", before);
        let error = folder.claim(&path, Existing::Refuse).unwrap_err();
        assert!(matches!(error, OutputError::Exists(_)), "{error}");
        assert_eq!(text(&path), before);
    }
}

#[test]
fn appending_keeps_what_is_there_and_refuses_half_a_line() {
    let folder = Folder::new();
    let path = folder.write("out", "theirs\n");
    folder.claim(&path, Existing::Append).unwrap();
    folder.open(&path).unwrap().write_all(b"ours\n").unwrap();
    assert_eq!(text(&path), "theirs\nours\n");
    let path = folder.write("half", "theirs\ncut sh");
    let error = folder.claim(&path, Existing::Append).unwrap_err();
    assert!(matches!(error, OutputError::CutShort(_)), "{error}");
    assert_eq!(text(&path), "theirs\ncut sh");
}

#[test]
fn overwriting_begins_with_the_first_line_and_happens_once() {
    let folder = Folder::new();
    let path = folder.write("out", "theirs");
    folder.claim(&path, Existing::Overwrite).unwrap();
    assert_eq!(
        text(&path),
        "theirs",
        "a job that fails before has harmed nothing"
    );
    drop(folder.open(&path).unwrap());
    assert_eq!(text(&path), "theirs");
    folder.open(&path).unwrap().write_all(b"ours\n").unwrap();
    folder.open(&path).unwrap().write_all(b"more\n").unwrap();
    assert_eq!(text(&path), "ours\nmore\n");
}

#[test]
fn links_pipes_and_directories_are_refused_whatever_is_asked() {
    let folder = Folder::new();
    let precious = folder.write("precious", "theirs\n");
    let link = folder.path("link");
    std::os::unix::fs::symlink(&precious, &link).unwrap();
    let dangling = folder.path("dangling");
    std::os::unix::fs::symlink(folder.path("new"), &dangling).unwrap();
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [&link, &dangling, &pipe, &folder.path("")] {
        for existing in [Existing::Refuse, Existing::Append, Existing::Overwrite] {
            let error = folder.claim(path, existing).unwrap_err();
            assert!(matches!(error, OutputError::NoFile { .. }), "{error}");
        }
    }
    assert_eq!(text(&precious), "theirs\n");
    assert!(!folder.path("new").exists());
}

#[test]
fn a_line_cut_short_is_removed_wherever_it_was_cut() {
    let lines = "first\nsecond\n";
    for written in 0..=lines.len() {
        let folder = Folder::new();
        let path = folder.write("out", "theirs\n");
        folder.claim(&path, Existing::Append).unwrap();
        let mut output = folder.open(&path).unwrap();
        output.write_all(b"whole\n").unwrap();
        output.write_all(lines.as_bytes()).unwrap();
        let before = "theirs\nwhole\n";
        // As if it had been killed after so many bytes.
        drop(output);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len((before.len() + written) as u64).unwrap();
        drop(file);
        folder.open(&path).unwrap().write_all(b"again\n").unwrap();
        let kept = if written == lines.len() { lines } else { "" };
        assert_eq!(text(&path), format!("{before}{kept}again\n"), "{written}");
    }
}

#[test]
fn a_file_that_somebody_changed_is_left_alone() {
    type Change = fn(&Path);
    let change: [(&str, Change); 6] = [
        ("something behind", |path| {
            std::fs::write(path, "ours\nours\ntheirs\n").unwrap();
        }),
        ("half a line behind", |path| {
            std::fs::write(path, "ours\nours\nth").unwrap();
        }),
        ("another last line", |path| {
            std::fs::write(path, "ours\nhers\n").unwrap();
        }),
        ("another end", |path| {
            std::fs::write(path, "ours\nth").unwrap();
        }),
        ("cut", |path| std::fs::write(path, "ou").unwrap()),
        ("replaced", |path| {
            std::fs::copy(path, path.with_extension("copy")).unwrap();
            std::fs::rename(path.with_extension("copy"), path).unwrap();
        }),
    ];
    for (what, change) in change {
        let folder = Folder::new();
        let path = folder.path("out");
        folder.claim(&path, Existing::Refuse).unwrap();
        let mut output = folder.open(&path).unwrap();
        output.write_all(b"ours\n").unwrap();
        output.write_all(b"ours\n").unwrap();
        drop(output);
        change(&path);
        let before = text(&path);
        let error = folder.open(&path).unwrap_err();
        assert!(
            matches!(error, OutputError::Changed { .. }),
            "{what}: {error}"
        );
        assert_eq!(text(&path), before, "{what}");
    }
    // Nor is it written to by a job that was at work meanwhile, or told to be whole.
    for (what, change) in change {
        let folder = Folder::new();
        let path = folder.path("out");
        folder.claim(&path, Existing::Refuse).unwrap();
        let mut output = folder.open(&path).unwrap();
        output.write_all(b"ours\nours\n").unwrap();
        if what == "another last line" {
            continue; // as long as it was: only a resume reads it again
        }
        change(&path);
        let before = text(&path);
        let keeper = output.keeper().unwrap();
        for refused in [keeper.keep(), keeper.finish(), output.write_all(b"more\n")] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("somebody changed it"), "{what}: {error}");
        }
        assert_eq!(text(&path), before, "{what}");
    }
    // Removed, it is not made anew: its beginning would be missing.
    let folder = Folder::new();
    let path = folder.path("out");
    folder.claim(&path, Existing::Refuse).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(folder.open(&path).is_err());
    assert!(!path.exists());
}

#[test]
fn what_its_owner_wrote_before_it_was_replaced_is_left() {
    for theirs in ["theirs 2", "longer than before"] {
        let folder = Folder::new();
        let path = folder.write("out", "theirs 1");
        folder.claim(&path, Existing::Overwrite).unwrap();
        let mut output = folder.open(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(theirs.as_bytes(), 0).unwrap();
        // Whatever the clock's steps are.
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(1);
        file.set_modified(later).unwrap();
        let keeper = output.keeper().unwrap();
        for refused in [keeper.finish(), output.write_all(b"ours\n")] {
            assert!(refused.unwrap_err().to_string().contains("changed"));
        }
        drop((output, keeper));
        let error = folder.open(&path).unwrap_err();
        assert!(matches!(error, OutputError::Changed { .. }), "{error}");
        assert_eq!(text(&path), theirs);
    }
}

#[test]
fn a_job_file_alone_opens_no_file() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("state/jobs").join(JOB)).unwrap();
    let precious = folder.write("precious", "theirs\n");
    let error = folder.open(&precious).unwrap_err();
    assert!(matches!(error, OutputError::Changed { .. }), "{error}");
    assert_eq!(text(&precious), "theirs\n");
}

/// Two jobs of two state directories: nobody else keeps them from each other.
#[test]
fn a_file_is_one_jobs_as_long_as_it_writes() {
    let folder = Folder::new();
    let path = folder.path("out");
    folder.claim(&path, Existing::Refuse).unwrap();
    let mut one = folder.open(&path).unwrap();
    one.write_all(b"one 1\n").unwrap();
    let state = folder.path("other-state");
    let other = || {
        claim(&state, JOB, &path, Existing::Append).and_then(|()| Output::open(&state, JOB, &path))
    };
    let refused = other().map(drop).unwrap_err();
    assert!(matches!(refused, OutputError::Taken(_)), "{refused}");
    one.write_all(b"one 2\n").unwrap();
    drop(one);
    other().unwrap().write_all(b"other 1\n").unwrap();
    assert_eq!(text(&path), "one 1\none 2\nother 1\n");
}

#[test]
fn a_file_is_the_same_after_the_machine_has_started_anew() {
    let folder = Folder::new();
    let path = folder.path("out");
    folder.claim(&path, Existing::Refuse).unwrap();
    folder.open(&path).unwrap().write_all(b"one\n").unwrap();
    // Its file system has another number then, as of a loop, a mapper or a container's layer: claims of before tell one.
    let claim = folder.claimed();
    let mut claimed: serde_json::Value = serde_json::from_str(&text(&claim)).unwrap();
    claimed["device"] = json!(u64::MAX);
    std::fs::write(&claim, claimed.to_string()).unwrap();
    folder.open(&path).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(text(&path), "one\ntwo\n");
}

#[test]
fn what_a_checkpoint_tells_of_is_missed_where_it_is_not_there() {
    let folder = Folder::new();
    let path = folder.path("out");
    folder.claim(&path, Existing::Refuse).unwrap();
    let mut output = folder.open(&path).unwrap();
    let keeper = output.keeper().unwrap();
    keeper.keep().unwrap();
    output.write_all(b"one\n").unwrap();
    let journal = folder.claimed().with_file_name("output.journal");
    let before = [&path, &journal].map(|path| std::fs::read(path).unwrap());
    output.write_all(b"two\n").unwrap();
    keeper.keep().unwrap();
    drop((output, keeper));
    folder.open(&path).unwrap().write_all(b"three\n").unwrap();
    // A power cut: the file and its journal are as they were before the checkpoint.
    for (path, bytes) in [&path, &journal].into_iter().zip(before) {
        std::fs::write(path, bytes).unwrap();
    }
    let error = folder.open(&path).unwrap_err().to_string();
    assert!(error.contains("it had 8 at the last checkpoint"), "{error}");
    assert_eq!(text(&path), "one\n");
}

#[test]
fn a_job_that_is_done_without_a_line_replaces_what_was_there() {
    let folder = Folder::new();
    let path = folder.write("out", "theirs");
    folder.claim(&path, Existing::Overwrite).unwrap();
    let keeper = folder.open(&path).unwrap().keeper().unwrap();
    keeper.keep().unwrap();
    assert_eq!(text(&path), "theirs", "it is not done yet");
    keeper.finish().unwrap();
    assert_eq!(text(&path), "");
    drop(keeper);
    folder.open(&path).unwrap();
    assert_eq!(text(&path), "");
}
