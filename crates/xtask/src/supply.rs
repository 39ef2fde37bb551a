//! Rules of what may come into a build (SECURITY.md), for workflows and for what the tasks run.

use std::fs;

use crate::root;

/// All workflows: name and text.
fn workflows() -> Vec<(String, String)> {
    let folder = root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let read = files.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (name, fs::read_to_string(file.path()).unwrap())
    });
    let read: Vec<_> = read.collect();
    assert!(read.len() >= 3);
    read
}

#[test]
fn actions_are_named_by_commit_with_the_version_beside_it() {
    for (name, text) in workflows() {
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            let (_, pin) = action.split_once('@').unwrap_or_default();
            let (commit, version) = pin.split_once(" # v").unwrap_or_default();
            assert!(
                commit.len() == 40
                    && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && version.starts_with(|c: char| c.is_ascii_digit()),
                "{name}: {action}: wanted is `owner/action@COMMIT # vVERSION`"
            );
        }
    }
}

#[test]
fn jobs_may_do_what_they_name_and_only_publish_may_write() {
    for (name, text) in workflows() {
        assert!(
            text.contains("\npermissions: {}\n"),
            "{name}: nothing by default"
        );
        let (_, jobs) = text.split_once("\njobs:\n").unwrap();
        let mut job = "";
        let mut named = Vec::new();
        let mut all = Vec::new();
        for line in jobs.lines() {
            if let Some(key) = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':'))
                && !key.starts_with([' ', '#'])
            {
                job = key;
                all.push(job);
            }
            if line == "    permissions:" {
                named.push(job);
            }
            let writes = line.trim_end().ends_with(": write");
            assert!(
                !writes || job == "publish",
                "{name}: {job} may write: {line}"
            );
        }
        assert_eq!(all, named, "{name}: each job names its permissions");
    }
}

#[test]
fn what_publishes_runs_nothing_of_the_repository() {
    let release = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let (_, publish) = release.split_once("\n  publish:\n").unwrap();
    for word in ["checkout", "cargo", "pip", "dist/s3-sqs-bridge "] {
        assert!(!publish.contains(word), "publish has {word:?}");
    }
    for step in ["attest-build-provenance@", "attest-sbom@"] {
        assert!(publish.contains(step), "publish lacks {step}");
    }
}

#[test]
fn a_release_is_built_once_the_tests_have_passed() {
    let release = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let (_, test) = release.split_once("\n  test:\n").unwrap();
    let (test, build) = test.split_once("\n  build:\n").unwrap();
    assert!(test.contains("- run: bash .ci/run\n"), "{test}");
    assert!(build.starts_with("    needs: test\n"), "{build}");
    assert!(release.contains("\n    needs: [build, sbom]\n"));
}

#[test]
fn the_version_of_rust_is_named_once() {
    for (name, text) in workflows() {
        assert!(!text.contains("rustup default"), "{name}");
        assert!(!text.contains("install 1."), "{name}");
    }
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let least = concat!("channel = \"", env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        toolchain.contains(least),
        "it is not what Cargo.toml asks for"
    );
}

#[test]
fn what_is_installed_and_built_is_locked() {
    let sources = fs::read_dir(root().join("crates/xtask/src")).unwrap();
    let mut texts = workflows();
    for file in ["README.md", ".cargo/config.toml"] {
        texts.push((
            file.to_owned(),
            fs::read_to_string(root().join(file)).unwrap(),
        ));
    }
    for path in sources.map(|file| file.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("supply.rs") {
            let name = path.display().to_string();
            texts.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    for (name, text) in texts {
        for line in text.lines() {
            let builds = ["cargo lambda build", "cargo install", "xtask = \"run"];
            let runs = [
                "[\"run\"",
                "[\"build\"",
                "\"nextest\", \"run\"",
                "[\"clippy\"",
                "[\"test\"",
            ];
            if builds.iter().chain(&runs).any(|word| line.contains(word)) {
                assert!(line.contains("--locked"), "{name}: {line}");
            }
            if line.contains("pip install") {
                assert!(line.contains("--require-hashes"), "{name}: {line}");
            }
        }
        // The arguments of a command may stand on lines of their own.
        let flat: String = text.split_whitespace().collect();
        for arguments in flat.split("\"pip\",\"install\"").skip(1) {
            let (arguments, _) = arguments.split_once(']').unwrap();
            assert!(
                arguments.contains("\"--require-hashes\""),
                "{name}: {arguments}"
            );
        }
        assert!(!flat.contains("\"npm\",\"install\""), "{name}");
    }
}
