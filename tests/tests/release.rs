//! What a release packs is what README says how to deploy: its zips and its template, without Rust.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::history::replayed::program;
use e2e::{STACK, Stack};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Of this machine, in Lambda's words.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Runs a script in `folder`; what it said on standard output.
fn shell(folder: &Path, script: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", script]).current_dir(folder);
    let output = shell.output().unwrap();
    let (told, complaints) = (output.stdout, output.stderr);
    let complaints = String::from_utf8_lossy(&complaints);
    assert!(output.status.success(), "{script}\n{complaints}");
    String::from_utf8(told).unwrap()
}

/// The script of the workflow's step.
fn step(name: &str) -> String {
    let workflow =
        std::fs::read_to_string(format!("{ROOT}/.github/workflows/release.yml")).unwrap();
    let (_, step) = workflow.split_once(&format!("- name: {name}\n")).unwrap();
    let (_, script) = step.split_once("run: |\n").unwrap();
    let lines = script
        .lines()
        .take_while(|line| line.starts_with("          "));
    let script: Vec<_> = lines.map(str::trim_start).collect();
    let script = script.join("\n");
    script.replace("${{ matrix.arch }}", ARCHITECTURE)
}

#[tokio::test]
async fn what_a_release_packs_deploys_from_its_zips_alone() {
    let built = tempfile::tempdir().unwrap();
    // As `cargo lambda build` leaves them. The test's programs stand for the release's.
    for (name, folder) in [("realtime", "Realtime"), ("reseed", "Reseed")] {
        let lambda = built.path().join("target/lambda").join(name);
        std::fs::create_dir_all(&lambda).unwrap();
        let zip = lambda.join("bootstrap.zip");
        let zip = zip.to_str().unwrap();
        let built = format!("{ROOT}/.aws-sam/build/{folder}");
        shell(
            Path::new(&built),
            &format!("python3 -m zipfile -c {zip} bootstrap"),
        );
    }
    let cli = built.path().join("target/lambda/s3-sqs-bridge");
    std::fs::create_dir_all(&cli).unwrap();
    std::fs::copy(program().unwrap(), cli.join("bootstrap")).unwrap();
    let pack = step("Pack");
    let here = format!("cargo run --manifest-path {ROOT}/Cargo.toml");
    assert!(pack.contains("cargo run "), "{pack}");
    shell(built.path(), &pack.replace("cargo run", &here));

    // Somebody else's machine has what the release offers, and nothing of the repository.
    let elsewhere = tempfile::tempdir().unwrap();
    let dist = built.path().join("dist");
    for file in [
        format!("template-{ARCHITECTURE}.yaml"),
        format!("sha256-{ARCHITECTURE}.txt"),
        format!("realtime-{ARCHITECTURE}.zip"),
        format!("reseed-{ARCHITECTURE}.zip"),
    ] {
        std::fs::copy(dist.join(&file), elsewhere.path().join(&file)).unwrap();
    }
    drop(built);
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let (_, without_rust) = readme.split_once("Without Rust").unwrap();
    let compare = without_rust
        .split('`')
        .find(|part| part.starts_with("sha256sum"));
    let deploy = without_rust
        .lines()
        .find(|line| line.starts_with("sam deploy"));
    let as_here = |line: &str| {
        let line = line.replace("arm64", ARCHITECTURE);
        line.replace("--stack-name s3-sqs-bridge", "--stack-name released")
    };
    let compared = shell(elsewhere.path(), &as_here(compare.unwrap()));
    assert_eq!(compared.matches(": OK").count(), 3, "{compared}");
    shell(elsewhere.path(), &as_here(deploy.unwrap()));

    let stack = Stack::connect("released").await.unwrap();
    assert_ne!(
        stack.output("QueueUrl"),
        Stack::connect(STACK).await.unwrap().output("QueueUrl")
    );
    let version = stack.put("released", "1").await.unwrap();
    let queue = stack.output("QueueUrl");
    let events = stack
        .receive(queue, 1, Duration::from_mins(1), |_| true)
        .await
        .unwrap();
    assert_eq!(events[0].text("versionId"), version);
    let job = stack.reseed(serde_json::json!({})).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    let done = stack
        .wait_for(job, "done", Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(done["planned"]["events"], 1);
    stack.remove().await.unwrap();
}
