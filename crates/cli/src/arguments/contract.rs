//! What the command line says of itself is whole, and what it is shown to do, it does.

use std::path::Path;

use clap::{Command, CommandFactory as _, Parser as _};

use super::Arguments;

/// Every command with its path, like `jobs start`.
fn all() -> Vec<(String, Command)> {
    fn below(path: &str, command: &Command, all: &mut Vec<(String, Command)>) {
        for command in command.get_subcommands() {
            let path = format!("{path} {}", command.get_name());
            below(&path, command, all);
            all.push((path.trim_start().to_owned(), command.clone()));
        }
    }
    let mut all = Vec::new();
    below("", &Arguments::command(), &mut all);
    all
}

/// Commands of this program in a text, as they are typed: without prompts, comments, and what reads them.
fn typed(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim_start);
    let parts = lines.flat_map(|line| line.split(" | "));
    let begun = parts.filter(|part| part.starts_with("s3-sqs-bridge "));
    let commands = begun.map(|part| part.split(&['#', '>'][..]).next().unwrap_or(part));
    commands.map(str::trim_end).collect()
}

#[track_caller]
fn assert_all_are_understood(commands: &[&str], place: &str) {
    for command in commands {
        let parsed = Arguments::try_parse_from(command.split_whitespace());
        if let Err(error) = parsed {
            use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
            let is_answer = [DisplayHelp, DisplayVersion].contains(&error.kind());
            assert!(is_answer, "{place}: {command}\n{error}");
        }
    }
}

#[test]
fn every_option_says_what_it_does_and_what_holds_without_it() {
    for (path, command) in all() {
        assert!(command.get_about().is_some(), "{path} says nothing");
        for argument in command.get_arguments() {
            let name = argument.get_id();
            let help = argument.get_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.len() >= 15, "{path} {name}: {help:?} says too little");
            assert!(!help.ends_with('.'), "{path} {name}: {help:?}");
            let has_value = argument.get_action().takes_values();
            // Of some groups one is required: the usage says so.
            let is_of_required = command
                .get_groups()
                .any(|group| group.is_required_set() && group.get_args().any(|id| id == name));
            let words = [
                "default",
                "required",
                "without",
                "instead",
                "With `--",
                "may be said again",
                "this new file",
            ];
            let is_told = argument.is_required_set()
                || !argument.get_default_values().is_empty()
                || is_of_required
                || words.iter().any(|word| help.contains(word));
            assert!(
                !has_value || is_told,
                "{path} {name}: {help:?} does not say what holds without it"
            );
        }
    }
}

#[test]
fn every_example_of_the_help_is_understood() {
    for (path, mut command) in all() {
        let help = command.render_long_help().to_string();
        let examples = help.split_once("Examples:\n").map(|(_, examples)| examples);
        let Some(examples) = examples.map(typed) else {
            // Of what has commands below it, these have examples.
            assert!(
                command.has_subcommands() || path.contains("help"),
                "{path} has no example"
            );
            continue;
        };
        assert!(
            examples.iter().any(|example| example.contains(&path)),
            "{path}: {examples:?}"
        );
        assert_all_are_understood(&examples, &path);
    }
}

#[test]
fn every_command_of_the_documents_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documents = std::fs::read_dir(root.join("docs")).unwrap();
    let documents = documents.map(|entry| entry.unwrap().path());
    let (mut seen, own) = (0, [root.join("README.md")]);
    for document in documents.chain(own) {
        // What is not understood is shown, too, where a test types all of it.
        let is_typed = document.ends_with("COMMANDS.md");
        if is_typed || document.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&document).unwrap();
        let commands = typed(&text);
        seen += commands.len();
        assert_all_are_understood(&commands, &document.display().to_string());
    }
    assert!(seen > 25, "only {seen} commands were found");
}
