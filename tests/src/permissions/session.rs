//! A function that runs under a role, with the test as Lambda.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use serde_json::{Value, json};

use super::function::Function;
use super::judge::Role;
use super::stand_in::StandIn;

/// How long an invocation may take.
pub const LONG: Duration = Duration::from_mins(1);

/// A function that runs under a role.
pub struct Session<'a> {
    stand_in: &'a StandIn,
    role: &'a Role,
    function: Function,
    /// Invocations that it asked Lambda for and that were made.
    invoked: usize,
}

impl<'a> Session<'a> {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(stand_in: &'a StandIn, name: &str, role: &'a Role) -> anyhow::Result<Self> {
        let variables = stand_in.environment(name, &role.credentials)?;
        Ok(Self {
            stand_in,
            role,
            function: Function::start(name, &variables).await?,
            invoked: 0,
        })
    }

    /// Invokes it, which must succeed; its answer.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn ask(&self, input: Value) -> anyhow::Result<Value> {
        let answer = self.function.invoke(input, LONG).await?;
        answer.map_err(|error| anyhow!("{}", error["errorMessage"]))
    }

    /// Makes the invocations that the function has asked Lambda for, and those that these ask for, `most` at most.
    ///
    /// # Errors
    /// What a segment failed with.
    pub async fn go_on(&mut self, most: usize, time: Duration) -> anyhow::Result<()> {
        for _ in 0..most {
            let asked = self.stand_in.judge.decisions(self.role)?;
            let mut payloads = asked.into_iter().filter_map(|asked| asked.payload);
            let Some(payload) = payloads.nth(self.invoked) else {
                break;
            };
            self.invoked += 1;
            if let Err(error) = self.function.invoke(payload, time).await? {
                bail!("a segment failed: {error}");
            }
        }
        Ok(())
    }

    /// A job, worked on until nobody asks for more; it must be in `phase` then.
    ///
    /// # Errors
    /// Where it is instead, and why.
    pub async fn job(&mut self, input: Value, phase: &str) -> anyhow::Result<Value> {
        let job = self.ask(input).await?;
        self.go_on(9, LONG).await?;
        self.is_in(&job["jobId"], phase).await
    }

    /// A job that must be in `phase`.
    ///
    /// # Errors
    /// Where it is instead, and why.
    pub async fn is_in(&self, job: &Value, phase: &str) -> anyhow::Result<Value> {
        let status = self
            .ask(json!({ "action": "status", "jobId": job }))
            .await?;
        let why = &status["lastError"];
        ensure!(
            status["phase"] == phase,
            "the job is {}: {why}",
            status["phase"]
        );
        Ok(status)
    }
}
