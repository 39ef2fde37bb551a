//! `cargo xtask test`: everything that must hold before a change lands.
//!
//! The end-to-end tests wait for leases and queues most of their time. Beside them runs what only computes, at
//! the lowest priority.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::browser;
use crate::emulator::{Emulator, log_path};
use crate::java;
use crate::moto::Moto;
use crate::progress::{watch, watch_keeping};
use crate::run::{as_from_a_shell, cargo, run, say};
use crate::stack::Stack;
use crate::steps::Steps;
use crate::tools::{self, Tools};
use crate::{mutants, plans, root};

/// Stacks the end-to-end tests need: name and parameters. Their names are in `tests/src/lib.rs`.
const STACKS: [(&str, &[&str]); 6] = [
    ("e2e", &[]),
    // Segments of two seconds.
    ("e2e-short", &["ReseedTimeout=3"]),
    // Its processes get killed.
    ("e2e-killed", &[]),
    // The same, ten times.
    ("e2e-kills", &["LeaseSeconds=15"]),
    // Deployed anew while a job is in flight.
    ("e2e-upgraded", &["LeaseSeconds=15"]),
    // To be broken.
    (
        "e2e-broken",
        &[
            "MessageFormat=s3",
            "Dashboard=true",
            "AlarmTopicArn=arn:aws:sns:us-east-1:000000000000:alarms",
        ],
    ),
];

/// What the tests that need a browser have in their names.
const IN_A_BROWSER: &str = "in_a_browser";

/// All checks; `quick` leaves out what needs the local AWS.
///
/// # Errors
/// The first check that fails.
pub(crate) fn all(quick: bool) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.step("formatting", || {
        run(cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` fixes it")
    })?;
    steps.step("spelling", spelling)?;
    if quick {
        steps.step("clippy", || watch("clippy", &mut clippy(cargo())))?;
        return steps.step("unit, property and simulation tests", || {
            run(&mut Runner::find().quick(cargo()))
        });
    }
    let tools = steps.step("tools", tools::install)?;
    let emulator = Emulator::start(&tools)?;
    let stack = Stack::new(&tools, &emulator);
    steps.step("functions", || stack.build())?;
    let runner = Runner::find();
    steps.step("building the tests", || {
        watch("building the tests", &mut runner.build(cargo()))
    })?;
    steps.step("deploying", || deploy(&stack))?;
    let servers = steps.step("moto", Servers::start)?;
    let consumer = steps.step("a consumer's packages", consumer_python)?;
    let browser = steps.step("a browser", || Ok(browser::find_or_install()))?;
    let java = steps.step("a Java", || Ok(java::find_or_install()))?;
    let (quick, end_to_end) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| beside(&steps, &runner, &tools, java.as_deref()));
        let end_to_end = steps.step("end-to-end tests on the deployed stacks", || {
            // The tests of the documentation run `sam` and Python as a reader would.
            let mut tests = runner.end_to_end(stack.command("cargo"), None, browser.as_deref());
            tests.envs(servers.environment());
            tests.env("CONSUMER_PYTHON", &consumer);
            watch_keeping("end-to-end tests", &mut tests)
                .with_context(|| format!("the emulator's log is {}", log_path().display()))
        });
        let beside = beside.join();
        let beside = beside.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (beside, end_to_end) {
            (Err(one), Err(other)) => Err(one.context(format!("{other:#}"))),
            (one, other) => Ok((one?, other?)),
        }
    })?;
    drop(steps);
    // Each runner's own words, and its summary last.
    say("the tests");
    print!("{quick}{end_to_end}");
    browser::tell_what_was_not_run(browser.as_deref());
    java::tell_what_was_not_run(java.as_deref());
    Ok(())
}

/// The end-to-end tests whose name, or whose file's, holds `name`, on all stacks.
///
/// # Errors
/// What fails.
pub(crate) fn end_to_end(name: &str) -> anyhow::Result<()> {
    let tools = tools::install()?;
    let emulator = Emulator::start(&tools)?;
    let stack = Stack::new(&tools, &emulator);
    stack.build()?;
    deploy(&stack)?;
    let servers = Servers::start()?;
    let consumer = consumer_python()?;
    let browser = browser::find_or_install();
    let cargo = stack.command("cargo");
    let mut tests = Runner::find().end_to_end(cargo, Some(name), browser.as_deref());
    tests.envs(servers.environment());
    tests.env("CONSUMER_PYTHON", consumer);
    run(&mut tests).with_context(|| format!("the emulator's log is {}", log_path().display()))?;
    browser::tell_what_was_not_run(browser.as_deref());
    Ok(())
}

/// The Python that the documented consumer runs on.
fn consumer_python() -> anyhow::Result<PathBuf> {
    Ok(tools::install_consumer()?.bin().join("python3"))
}

/// What the end-to-end tests ask besides the emulator.
struct Servers {
    moto: Moto,
    judge: Moto,
}

impl Servers {
    fn start() -> anyhow::Result<Self> {
        Ok(Self {
            moto: Moto::start()?,
            judge: Moto::judge()?,
        })
    }

    /// Where the tests find them, and the functions that `sam build` made, which they run themselves.
    fn environment(&self) -> [(&'static str, OsString); 3] {
        [
            ("MOTO_ENDPOINT", self.moto.endpoint().into()),
            ("JUDGE_ENDPOINT", self.judge.endpoint().into()),
            ("FUNCTIONS", root().join(".aws-sam/build").into()),
        ]
    }
}

fn spelling() -> anyhow::Result<()> {
    let mut typos = tools::install_typos()?.command("typos");
    run(typos.args(["--format", "brief"])).context("names that are right are listed in _typos.toml")
}

/// The first stack makes the bucket that all are deployed from; the others come two at a time.
fn deploy(stack: &Stack<'_>) -> anyhow::Result<()> {
    let [(first, parameters), others @ ..] = STACKS;
    stack.deploy(first, parameters)?;
    for pair in others.chunks(2) {
        std::thread::scope(|scope| {
            let deploys: Vec<_> = pair
                .iter()
                .map(|(name, parameters)| scope.spawn(|| stack.deploy(name, parameters)))
                .collect();
            deploys.into_iter().try_for_each(|deploy| {
                deploy
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
    }
    Ok(())
}

/// What runs beside the end-to-end tests; what the tests said.
fn beside(
    steps: &Steps,
    runner: &Runner,
    tools: &Tools,
    java: Option<&Path>,
) -> anyhow::Result<String> {
    steps.step("template", || {
        let mut validate = tools.command("sam");
        validate
            .args(["validate", "--lint"])
            .env("SAM_CLI_TELEMETRY", "0");
        let validate = validate.env("AWS_DEFAULT_REGION", "eu-west-1");
        watch("sam validate", validate)?;
        let mut checkov = tools::install_checkov()?.command("checkov");
        checkov.args(["--file", "template.yaml", "--framework", "cloudformation"]);
        watch(
            "checkov",
            checkov.args(["--compact", "--quiet", "--skip-download"]),
        )
        .context("an exception is written beside its resource, with the reason")
    })?;
    let tests = std::thread::scope(|scope| {
        // Both wait for much of their time.
        let plans = scope.spawn(|| steps.step("plans from elsewhere", || plans::check(java)));
        let tests = steps.step("unit, property and simulation tests", || {
            watch_keeping("tests", &mut runner.quick(cargo_behind()))
        });
        let plans = plans.join();
        let plans = plans.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        anyhow::Ok(tests? + &plans?)
    })?;
    steps.step("clippy", || watch("clippy", &mut clippy(cargo_behind())))?;
    steps.step("documentation", || {
        let mut doc = cargo_behind();
        doc.args(["doc", "--locked", "--workspace", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        watch("cargo doc", &mut doc)?;
        let mut examples = cargo_behind();
        examples.args(["test", "--doc", "--locked", "--workspace"]);
        watch("examples in it", &mut examples)
    })?;
    steps.step("a part of the mutants", mutants::check_part_of_today)?;
    Ok(tests)
}

fn clippy(mut cargo: Command) -> Command {
    cargo.args(["clippy", "--locked", "--workspace", "--all-targets"]);
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

/// A cargo that gets what the others leave.
fn cargo_behind() -> Command {
    let mut command = Command::new("nice");
    as_from_a_shell(command.args(["-n", "19", "cargo"]).current_dir(root()));
    command
}

/// What runs the tests: nextest if it is installed, else cargo's own.
struct Runner {
    is_nextest: bool,
}

impl Runner {
    fn find() -> Self {
        let version = cargo().args(["nextest", "--version"]).output();
        Self {
            is_nextest: version.is_ok_and(|output| output.status.success()),
        }
    }

    /// Builds what the two others run, with the features that the whole workspace asks for: built for one
    /// package alone, much would be compiled again.
    fn build(&self, cargo: Command) -> Command {
        self.command(cargo, &["--no-run"], &["--workspace", "--no-run"])
    }

    /// The tests that need no local AWS.
    fn quick(&self, cargo: Command) -> Command {
        let filtered = ["--no-fail-fast", "--filterset", "not package(e2e)"];
        self.command(cargo, &filtered, &["--no-fail-fast"])
    }

    /// The tests of the deployed stacks; those of a name, or of a file of that name. Without a browser, those
    /// that need none.
    fn end_to_end(&self, cargo: Command, name: Option<&str>, browser: Option<&Path>) -> Command {
        // A file that is not there is an error to nextest.
        let is_file = |name: &str| root().join(format!("tests/tests/{name}.rs")).exists();
        let filter = match name {
            None => "package(e2e)".to_owned(),
            Some(name) if is_file(name) => format!("package(e2e) and binary({name})"),
            Some(name) => format!("package(e2e) and test({name})"),
        };
        let (filter, skipped): (_, &[&str]) = match browser {
            Some(_) => (filter, &[]),
            None => (
                format!("({filter}) and not test({IN_A_BROWSER})"),
                &["--", "--skip", IN_A_BROWSER],
            ),
        };
        let profile = ["--no-fail-fast", "--profile", "e2e"];
        let filtered = [&profile[..], &["--filterset", &filter]].concat();
        let own = ["--no-fail-fast", "--package", "e2e"];
        let mut tests = self.command(
            cargo,
            &filtered,
            &[&own[..], name.as_slice(), skipped].concat(),
        );
        tests.envs(browser.map(|browser| ("BROWSER", browser)));
        tests
    }

    /// `nextest` are arguments behind those for the whole workspace, `own` are the arguments of cargo's own tests.
    fn command(&self, mut cargo: Command, nextest: &[&str], own: &[&str]) -> Command {
        if self.is_nextest {
            cargo.args(["nextest", "run", "--locked", "--workspace"]);
            cargo.args(nextest);
        } else {
            cargo.args(["test", "--locked"]).args(own);
        }
        cargo
    }
}
