//! The paths that a run reads or writes: each is a file of its own, whatever it is called.

use std::path::Path;

use crate::Usage;
use crate::place::{is_of_state, is_same, place};
use crate::verify::options::VerifyArguments;

/// Standard input, by a path: it may be a file that has another one, too.
const STANDARD_INPUT: &str = "/dev/stdin";

/// The same of output: a file that it leads to is written.
const STANDARD_OUTPUTS: [(&str, &str); 2] = [
    ("standard output", "/dev/stdout"),
    ("standard error", "/dev/stderr"),
];

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
    let read: Vec<_> = read.collect();
    let outputs = STANDARD_OUTPUTS.map(|(name, path)| (name, Path::new(path)));
    let outputs = outputs.into_iter().filter(|(_, path)| path.is_file());
    let mut others: Vec<_> = outputs.collect();
    for (option, path) in &read {
        check_apart(option, path, &others)?;
    }
    others.extend(read);
    for (option, path) in arguments.files_written() {
        check_apart(option, path, &others)?;
        if let Some(state) = state(arguments)
            && is_of_state(path, state)
        {
            let what = format!("of the state directory {}", state.display());
            return Err(refusal(option, path, &what));
        }
        if let Some(plan) = &arguments.plan
            && place(plan)
                .parent()
                .is_some_and(|job| place(path).starts_with(job))
        {
            return Err(refusal(option, path, "in the folder of --plan's job"));
        }
        others.push((option, path));
    }
    Ok(())
}

fn check_apart(option: &str, path: &Path, others: &[(&str, &Path)]) -> Result<(), Usage> {
    match others.iter().find(|(_, other)| is_same(path, other)) {
        Some((other, _)) => Err(refusal(option, path, &format!("the file of {other}"))),
        None => Ok(()),
    }
}

fn refusal(option: &str, path: &Path, what: &str) -> Usage {
    let path = path.display();
    Usage(format!("{option}: {path} is {what}, too: name another"))
}

/// The directory that something is kept in, if it has a name.
fn state(arguments: &VerifyArguments) -> Option<&Path> {
    let of_jobs = arguments.heal.is_some().then(|| arguments.state_of_jobs());
    arguments.state.as_deref().or(of_jobs)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

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
