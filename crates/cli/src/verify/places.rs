//! The paths that a run reads or writes: each is a file of its own, whatever it is called.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf, absolute};

use crate::Usage;
use crate::verify::heal;
use crate::verify::options::VerifyArguments;

/// Links that lead from one to another to what is not there yet, at most: more than systems follow.
const MOST_LINKS: u32 = 64;

/// Standard input, by a path: it may be a file that has another one, too.
const STANDARD_INPUT: &str = "/dev/stdin";

/// Whether each option that names a file to be written names one that no other reads or writes. Nothing is made yet.
///
/// # Errors
/// [`Usage`], with both options.
pub(super) fn check(arguments: &VerifyArguments) -> Result<(), Usage> {
    let read = arguments.files_read().map(|(option, path)| {
        let is_standard_input = option == "--events" && path == Path::new("-");
        let path = if is_standard_input {
            Path::new(STANDARD_INPUT)
        } else {
            path
        };
        (option, path)
    });
    let mut others: Vec<_> = read.collect();
    for (option, path) in arguments.files_written() {
        let refuse = |what: &str| {
            let path = path.display();
            Err(Usage(format!(
                "{option}: {path} is {what}, too: name another"
            )))
        };
        if let Some((other, _)) = others.iter().find(|(_, other)| is_same(path, other)) {
            return refuse(&format!("the file of {other}"));
        }
        if let Some(state) = state(arguments)
            && is_of_state(path, state)
        {
            return refuse(&format!("of the state directory {}", state.display()));
        }
        if let Some(plan) = &arguments.plan
            && place(plan)
                .parent()
                .is_some_and(|job| place(path).starts_with(job))
        {
            return refuse("in the folder of --plan's job");
        }
        others.push((option, path));
    }
    Ok(())
}

/// The directory that something is kept in, if it has a name.
fn state(arguments: &VerifyArguments) -> Option<&Path> {
    let of_jobs = arguments.heal.is_some().then(|| heal::state(arguments));
    arguments.state.as_deref().or(of_jobs)
}

/// Whether a file would be the state directory, its lock, or what jobs keep there. Beside these it may lie.
fn is_of_state(path: &Path, state: &Path) -> bool {
    let (path, state) = (place(path), place(state));
    path == state || path == state.join("lock") || path.starts_with(state.join("jobs"))
}

/// Whether two paths are of one file, also by links of either kind, or where it is not there yet.
fn is_same(one: &Path, other: &Path) -> bool {
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
fn place(path: &Path) -> PathBuf {
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

    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

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

    fn checked(line: &str) -> Result<(), String> {
        let words = format!("s3-sqs-bridge verify --bucket b {line}");
        let words = words.split(' ');
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Verify(arguments) => check(&arguments).map_err(|refused| refused.to_string()),
            other => panic!("{other:?} is not verify"),
        }
    }

    #[test]
    fn what_is_written_is_no_other_options_file_and_none_of_the_state_directory() {
        let queue = "--queue-url http://127.0.0.1:9/1/q";
        let heal = "--heal http://127.0.0.1:9/1/q.fifo";
        let plan = "--plan s/jobs/j/manifest-1.json";
        for (line, parts) in [
            (
                format!("{queue} --delete --copy got --findings ./got"),
                ["--findings: ./got", "--copy"],
            ),
            (
                format!("{queue} --keep --copy got --report ./got"),
                ["--report: ./got", "--copy"],
            ),
            (
                "--events got --findings ./got".to_owned(),
                ["--findings: ./got", "--events"],
            ),
            (
                "--events - --findings new --report ./new".to_owned(),
                ["--report: ./new", "--findings"],
            ),
            (
                "--events - --findings s --state ./s".to_owned(),
                ["--findings: s", "state directory ./s"],
            ),
            (
                format!("{queue} --keep --copy ./s/lock --state s"),
                ["--copy: ./s/lock", "state directory s"],
            ),
            (
                format!("--events - --report .s3-sqs-bridge/jobs/j/r.html {heal}"),
                ["--report: .s3", "state directory .s3-sqs-bridge"],
            ),
            (
                format!("--events - --report s/jobs/j/runs/000001.parquet --overwrite {plan}"),
                ["--report: s/jobs", "--plan's job"],
            ),
        ] {
            let refused = checked(&line).unwrap_err();
            assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
            assert!(refused.contains("name another"), "{refused}");
        }
        for line in [
            format!(
                "{queue} --delete --copy s/got --findings s/findings --report s/r.html --state s"
            ),
            format!("--events s/jobs/j/parked.jsonl --findings - --state s {heal}"),
            format!("--events - --findings s/jobs-findings {plan} --state s"),
        ] {
            assert_eq!(checked(&line), Ok(()), "{line}");
        }
    }
}
