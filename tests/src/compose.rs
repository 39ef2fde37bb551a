//! `compose.yml` without a container engine: its services as processes of this machine, with the commands, the
//! environment and the ports that the file gives them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;
use serde_norway::Value;

/// The file's services.
#[derive(Debug, Deserialize)]
pub struct Compose {
    services: BTreeMap<String, Service>,
}

/// One of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its image.
    pub image: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    /// `host address:host port:container port`.
    pub ports: Vec<String>,
    /// Whether it may not write but to its volumes.
    pub read_only: bool,
    healthcheck: HealthCheck,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HealthCheck {
    test: Vec<String>,
}

/// What stands for a word of the file on this machine, as `http://aws:4566` for an address.
pub type Here<'a> = &'a [(&'a str, String)];

impl Compose {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or is none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut file: Value = serde_norway::from_str(&text)?;
        file.apply_merge()?;
        Ok(serde_norway::from_value(file)?)
    }

    /// A service.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn service(&self, name: &str) -> anyhow::Result<&Service> {
        let service = self.services.get(name);
        service.with_context(|| format!("compose.yml has no service {name}"))
    }
}

impl Service {
    /// The service as a process; `image` is what its image would run, if the file says nothing else, and `instead`
    /// what somebody asks it to do instead of the file's command.
    #[must_use]
    pub fn process(&self, image: &Path, instead: Option<&str>, here: Here<'_>) -> Command {
        let (program, first) = match self.entrypoint.split_first() {
            Some((program, first)) => (Path::new(program), first),
            None => (image, &[][..]),
        };
        let mut command = Command::new(program);
        command.args(first);
        // Compose writes a dollar sign as two.
        let own = self.command.iter().map(|word| word.replace("$$", "$"));
        let words = instead.map_or_else(|| own.collect(), |word| vec![word.to_owned()]);
        command.args(words.iter().map(|word| replaced(word, here)));
        self.with_environment(command, here)
    }

    /// What tells whether it is well.
    ///
    /// # Panics
    /// If the file has none as a list that begins with `CMD`.
    #[must_use]
    pub fn check(&self, here: Here<'_>) -> Command {
        let words = self.healthcheck.test.strip_prefix(&["CMD".to_owned()][..]);
        let words = words.expect("a health check as a list");
        let mut command = Command::new(&words[0]);
        command.args(words[1..].iter().map(|word| replaced(word, here)));
        command
    }

    fn with_environment(&self, mut command: Command, here: Here<'_>) -> Command {
        // A container has nothing but these.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        let environment = self.environment.iter();
        command.envs(environment.map(|(name, value)| (name, replaced(value, here))));
        command.env("AWS_CONFIG_FILE", "/dev/null");
        command
    }
}

/// A word with what stands for its parts here.
#[must_use]
pub fn replaced(word: &str, here: Here<'_>) -> String {
    here.iter().fold(word.to_owned(), |word, (there, here)| {
        word.replace(there, here)
    })
}
