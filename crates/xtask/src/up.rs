//! `cargo xtask up` and `shell`: a local AWS to play with, and a shell that talks to it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::emulator::Emulator;
use crate::run::{run, say};
use crate::stack::Stack;
use crate::{local, tools};

const STACK: &str = "s3-sqs-bridge";

/// Starts a local AWS, unless one is running, deploys the stack as it is now, with template parameters (`Name=value`), and
/// leaves it running.
///
/// # Errors
/// When a step fails. What was started is stopped then; what ran before continues.
pub(crate) fn up(parameters: &[String]) -> anyhow::Result<()> {
    let tools = tools::install()?;
    let emulator = match Emulator::find()? {
        Some(emulator) => {
            say(&format!(
                "a local AWS is running at {}",
                emulator.endpoint()
            ));
            emulator
        }
        None => Emulator::start(&tools)?,
    };
    let parameters: Vec<_> = parameters.iter().map(String::as_str).collect();
    println!("{}", deployed(&Stack::new(&tools, &emulator), &parameters)?);
    emulator.leave_running();
    Ok(())
}

/// Deploys the stack as it is now, whether it is there or not, and tells what to do with it.
fn deployed(stack: &Stack<'_>, parameters: &[&str]) -> anyhow::Result<String> {
    stack.build()?;
    stack.deploy(STACK, parameters)?;
    let bucket = stack.output(STACK, "BucketName")?;
    let queue = stack.output(STACK, "QueueUrl")?;
    Ok(next_steps(&bucket, &queue))
}

/// What to do with an empty bucket.
fn next_steps(bucket: &str, queue: &str) -> String {
    // Until it is empty; what is not deleted would hold up the next messages of its key.
    let read = format!(
        "python -c 'import boto3; q = boto3.resource(\"sqs\").Queue(\"{queue}\"); \
         [(print(m.body), m.delete()) for some in iter(lambda: q.receive_messages(WaitTimeSeconds=5), []) for m in some]'"
    );
    format!(
        r#"
The stack {STACK} is deployed. A shell that talks to it, and to AWS again when you `exit` it:

cargo xtask shell

There, change something, see it arrive, and replay it:

python -c 'import boto3; boto3.client("s3").put_object(Bucket="{bucket}", Key="first", Body=b"1")'
python -c 'import boto3; boto3.client("s3").delete_object(Bucket="{bucket}", Key="first")'
{read}
sam remote invoke Reseed --stack-name {STACK}
{read}
sam remote invoke Reseed --stack-name {STACK} --event '{{"action":"list"}}'
cargo run -p s3-sqs-bridge -- reseed --bucket {bucket} --out -    # compiles for some minutes first

`cargo xtask up` once more deploys what you have changed, `cargo xtask down` stops it."#
    )
}

/// Runs a command, or else the user's shell, so that it talks to the local AWS.
///
/// # Errors
/// When none is running, or the command fails.
pub(crate) fn shell(command: &[String]) -> anyhow::Result<()> {
    let emulator =
        Emulator::find()?.context("no local AWS is running: `cargo xtask up` starts one")?;
    let tools = tools::install()?;
    let guard = guard(
        &local().join("shell"),
        &tools.bin().join("sam"),
        &emulator.endpoint(),
    )?;
    let user = std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned());
    let (program, arguments) = command.split_first().unwrap_or((&user, &[]));
    if command.is_empty() {
        say(&format!(
            "a shell of {} (`exit` leaves it)",
            emulator.endpoint()
        ));
    }
    let mut command = Stack::new(&tools, &emulator).command(program);
    let path = command
        .get_envs()
        .find_map(|(name, value)| (name == "PATH").then_some(value?));
    let path = path.unwrap_or_default().to_owned();
    let parts = std::iter::once(guard).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(parts).context("the PATH cannot be extended")?;
    run(command.args(arguments).env("PATH", path))
}

/// A `sam` that deploys nothing: the documents' `sam deploy` is meant for AWS, and would go to the
/// local one from here.
fn guard(folder: &Path, sam: &Path, endpoint: &str) -> anyhow::Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = deploy ] || [ \"$1\" = sync ]; then\n\
         echo \"this shell talks to the local AWS at {endpoint}: \\`exit\\` it to deploy on AWS,\" >&2\n\
         echo \"or \\`cargo xtask up\\` to deploy here\" >&2\n\
         exit 1\n\
         fi\n\
         exec \"{}\" \"$@\"\n",
        sam.display()
    );
    let path = folder.join("sam");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, script))
        .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn sam_deploys_nothing_from_the_local_shell_and_does_all_else() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        std::fs::write(&real, "#!/bin/sh\necho \"real $*\"\n").unwrap();
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o755)).unwrap();
        let shell = folder.path().join("shell");
        let guard = guard(&shell, &real, "http://127.0.0.1:1").unwrap();
        let sam = |arguments: &[&str]| {
            let output = Command::new(guard.join("sam")).args(arguments).output();
            let output = output.unwrap();
            let told = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8(told).unwrap())
        };
        for refused in [&["deploy", "--guided"][..], &["sync"]] {
            let (done, told) = sam(refused);
            assert!(
                !done && told.contains("`exit` it to deploy on AWS"),
                "{told}"
            );
        }
        let (done, told) = sam(&["remote", "invoke", "a b"]);
        assert!(done && told == "real remote invoke a b\n", "{told}");
    }

    /// `sam` as it behaves: a deploy that changes nothing fails unless it is told not to.
    const SAM: &str = r#"#!/bin/sh
echo "$*" >> "$(dirname "$0")/said"
case "$1" in
build) ;;
deploy)
    case "$*" in
    *--no-fail-on-empty-changeset*) ;;
    *) [ ! -e "$(dirname "$0")/there" ] || { echo "No changes to deploy" >&2; exit 1; } ;;
    esac
    : > "$(dirname "$0")/there" ;;
list) echo '[{"OutputKey":"BucketName","OutputValue":"its-bucket"},
    {"OutputKey":"QueueUrl","OutputValue":"http://x/1/its-queue.fifo"}]' ;;
*) exit 9 ;;
esac
"#;

    #[test]
    fn up_a_second_time_deploys_what_has_changed_and_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let tools = tools::Tools::played(folder.path(), &[("sam", SAM)]);
        let emulator = Emulator::played(folder.path());
        let stack = Stack::new(&tools, &emulator);
        for _ in 0..2 {
            let told = deployed(&stack, &["LiveOrder=newest"]).unwrap();
            for part in [
                "cargo xtask shell",
                "its-bucket",
                "its-queue.fifo",
                "cargo xtask down",
            ] {
                assert!(told.contains(part), "{part:?} is not in: {told}");
            }
        }
        let said = std::fs::read_to_string(tools.bin().join("said")).unwrap();
        let deploys: Vec<_> = said.lines().filter(|l| l.starts_with("deploy")).collect();
        assert_eq!(deploys.len(), 2, "{said}");
        let with = "--parameter-overrides LiveOrder=newest";
        assert!(
            deploys.iter().all(|deploy| deploy.ends_with(with)),
            "{said}"
        );
        assert!(
            !said.contains("--guided"),
            "it rewrites a tracked file: {said}"
        );
    }

    #[test]
    fn the_next_steps_begin_with_something_to_replay() {
        let told = next_steps("a-bucket", "http://x/1/q.fifo");
        let put = told.find("put_object(Bucket=\"a-bucket\"").unwrap();
        assert!(put < told.find("sam remote invoke").unwrap(), "{told}");
        let reads = told.matches("Queue(\"http://x/1/q.fifo\")");
        assert_eq!(
            reads.count(),
            2,
            "of what happens and of the replay: {told}"
        );
        assert!(told.contains("--event '{\"action\":\"list\"}'"), "{told}");
    }
}
