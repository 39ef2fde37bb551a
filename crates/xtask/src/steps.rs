//! The parts of a task, and how long each took: printed at its end, also after a failure.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::run::say;

/// What was done so far.
#[derive(Debug)]
pub(crate) struct Steps {
    begin: Instant,
    done: Mutex<Vec<Step>>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    took: Duration,
    failed: bool,
}

impl Steps {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            done: Mutex::default(),
        }
    }

    /// Says what begins, does it, and keeps how long it took.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) fn step<T>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        say(name);
        let begin = Instant::now();
        let result = work();
        let step = Step {
            name,
            took: begin.elapsed(),
            failed: result.is_err(),
        };
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(step);
        result
    }

    /// A line for each step.
    fn table(&self) -> String {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |name: &str, took: Duration, mark: &str| {
            format!("{:>6} s  {name}{mark}\n", took.as_secs())
        };
        let steps = done.iter().map(|step| {
            let mark = if step.failed { " (failed)" } else { "" };
            line(step.name, step.took, mark)
        });
        let all = line("in all", self.begin.elapsed(), "");
        steps.chain(std::iter::once(all)).collect()
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        say("what took how long");
        print!("{}", self.table());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_step_in_order_and_names_the_one_that_failed() {
        let steps = Steps::new();
        assert_eq!(steps.step("first", || Ok(7)).unwrap(), 7);
        let failure: anyhow::Result<()> = steps.step("second", || anyhow::bail!("no"));
        assert!(failure.is_err());
        let table = steps.table();
        let expected = "     0 s  first\n     0 s  second (failed)\n     0 s  in all\n";
        assert_eq!(table, expected);
    }
}
