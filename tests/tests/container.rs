//! What compose.yml starts does what the documentation says, as processes: no container engine is needed, nor was one
//! tried. The Dockerfile is read by a linter.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::compose::{Compose, replaced};
use e2e::history::replayed::program;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Against hanging.
const TIMEOUT: Duration = Duration::from_mins(2);

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).unwrap()
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Where programs of the tests' Python environment are.
fn tools() -> PathBuf {
    let python = std::env::var_os("CONSUMER_PYTHON")
        .expect("this test needs pinned programs: run it with `cargo xtask test`");
    PathBuf::from(python).parent().unwrap().to_owned()
}

/// Version 1 of AWS's command line, which Python's registry has, asks SQS at an address of its own, whatever the
/// environment says; version 2, which its image has, does not.
fn command_line_of_aws(folder: &Path) {
    let own = tools().join("aws");
    let script = format!(
        "#!/bin/sh\nexec {} --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"\n",
        own.display()
    );
    let path = folder.join("aws");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// With the tests' own programs found first.
fn with_tools(folder: &Path, mut command: Command) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_owned(), tools()]
        .into_iter()
        .chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command.current_dir(ROOT);
    command
}

/// What it said on standard output; it must end well.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{complaints}");
    String::from_utf8(output.stdout).unwrap()
}

fn until_well(mut check: impl FnMut() -> Command, what: &str) {
    let begin = Instant::now();
    while !check().stderr(Stdio::null()).status().unwrap().success() {
        assert!(begin.elapsed() < TIMEOUT, "{what} does not get well");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The words of the Dockerfile's `HEALTHCHECK`.
fn health_check(here: &[(&str, String)]) -> Command {
    let dockerfile = read("Dockerfile");
    let line = dockerfile
        .lines()
        .find(|line| line.starts_with("HEALTHCHECK"))
        .unwrap();
    let (_, words) = line.split_once(" CMD ").unwrap();
    let words: Vec<String> = serde_json::from_str(words).unwrap();
    let mut command = Command::new(&words[0]);
    command.args(words[1..].iter().map(|word| replaced(word, here)));
    command
}

/// The commands that the documentation gives, one a line.
fn documented() -> Vec<String> {
    let text = read("docs/OPERATIONS.md");
    let (_, section) = text.split_once("\n## In containers\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(str::to_owned).collect()
}

#[test]
fn the_services_of_compose_forward_and_replay_as_the_documentation_says() {
    let compose = Compose::read(&Path::new(ROOT).join("compose.yml")).unwrap();
    let (aws_port, port) = (free_port(), free_port());
    let state = tempfile::tempdir().unwrap();
    let replay_state = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    command_line_of_aws(programs.path());
    let here = |state: &Path| {
        [
            ("http://aws:4566", format!("http://127.0.0.1:{aws_port}")),
            ("4566", aws_port.to_string()),
            ("0.0.0.0:8080", format!("127.0.0.1:{port}")),
            ("127.0.0.1/8080", format!("127.0.0.1/{port}")),
            ("/state", state.display().to_string()),
        ]
    };
    let of_bridge = here(state.path());

    let aws = compose.service("aws").unwrap();
    let mut emulator = aws.process(Path::new("ministack"), None, &of_bridge);
    emulator
        .env("BIND_HOST", "127.0.0.1")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _emulator = Running(emulator.spawn().unwrap());
    until_well(|| aws.check(&of_bridge), "aws");
    let setup = compose.service("setup").unwrap();
    said(with_tools(
        programs.path(),
        setup.process(Path::new("aws"), None, &of_bridge),
    ));

    let bridge = compose.service("bridge").unwrap();
    let mut serve = bridge.process(&program().unwrap(), None, &of_bridge);
    let serve = serve
        .current_dir(state.path())
        .stderr(Stdio::inherit())
        .spawn();
    let mut serve = Running(serve.unwrap());
    until_well(|| health_check(&of_bridge), "bridge");

    // `docker compose` is the part that is not there; the rest of each line runs as it stands.
    let mut answers = Vec::new();
    for line in documented() {
        let command = if let Some(words) = line.strip_prefix("docker compose run --rm ") {
            let (service, more) = words.split_once(' ').unwrap_or((words, ""));
            let instead = Some(more.trim_matches('\'')).filter(|more| !more.is_empty());
            let service = compose.service(service).unwrap();
            service.process(&program().unwrap(), instead, &here(replay_state.path()))
        } else if let Some(path) = line.strip_prefix("curl --fail http://127.0.0.1:8080") {
            let url = format!("http://127.0.0.1:{port}{path}");
            let mut command = Command::new("python3");
            command.args(["-c", "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())", &url]);
            command
        } else {
            assert!(line.starts_with("docker compose "), "{line}");
            continue;
        };
        answers.push((line, said(with_tools(programs.path(), command))));
    }
    let answer = |part: &str| {
        let found = answers.iter().find(|(line, _)| line.contains(part));
        &found.unwrap_or_else(|| panic!("no line with {part}")).1
    };
    assert!(
        answer("events.fifo").contains("\"source\\\":\\\"realtime"),
        "{}",
        answer("events.fifo")
    );
    assert!(
        answer("replay.fifo").contains("\"source\\\":\\\"reseed"),
        "{}",
        answer("replay.fifo")
    );
    assert!(
        answer("/metrics").contains("# TYPE"),
        "{}",
        answer("/metrics")
    );

    // As `docker compose down` asks it.
    let id = serve.0.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(asked.success());
    assert!(
        serve.0.wait().unwrap().success(),
        "it finishes and ends well"
    );
}

#[test]
fn the_container_is_built_and_run_as_the_linter_and_the_pinned_versions_say() {
    let mut lint = with_tools(&tools(), Command::new("hadolint"));
    lint.arg("Dockerfile");
    said(lint);
    let compose = Compose::read(&Path::new(ROOT).join("compose.yml")).unwrap();
    for name in ["bridge", "reseed"] {
        let service = compose.service(name).unwrap();
        assert!(service.read_only, "{name}");
        assert!(
            service
                .ports
                .iter()
                .all(|port| port.starts_with("127.0.0.1:")),
            "{name}"
        );
    }
    // One version of a program, wherever it is named.
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    assert!(
        read("Dockerfile").contains(&format!("FROM rust:{channel}-")),
        "{channel}"
    );
    let tools = read("crates/xtask/tools/tools.in");
    let (_, version) = tools.split_once("ministack[full]==").unwrap();
    let version = version.lines().next().unwrap();
    let image = format!("ministackorg/ministack:{version}");
    assert_eq!(compose.service("aws").unwrap().image, image);
}
