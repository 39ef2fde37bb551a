//! Trying inputs, and what was found.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::mutate::broken;
use crate::targets::Target;
use crate::{ALLOCATED, corpus};

/// What one input may allocate at most, bytes: the bounds of a plan's reader add up to most of it.
pub const MOST_MEMORY: usize = 256 * 1024 * 1024;

/// How long one input may take; a hundred times what any needs.
pub const MOST_TIME: Duration = Duration::from_secs(10);

/// Inputs that were accepted though broken, to be broken further.
const KEPT: usize = 64;

/// An input that should not have done what it did.
#[derive(Debug)]
pub struct Finding {
    /// Its number in the run, from 0.
    pub number: u64,
    /// What it is.
    pub input: Vec<u8>,
    /// What it did.
    pub what: String,
}

/// What was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Inputs.
    pub inputs: u64,
    /// Of these, how many were accepted: neither none nor all, or breaking breaks too much or too
    /// little.
    pub accepted: u64,
    /// The most that one allocated, bytes.
    pub most_memory: usize,
}

/// Tries inputs as long as `goes_on` says, given how many were tried. Each is written to `current` before, so
/// that what kills the process is there.
///
/// # Errors
/// The first finding, or why there are no inputs.
pub fn run(
    target: &Target,
    seed: u64,
    current: Option<&Path>,
    mut goes_on: impl FnMut(u64) -> bool,
) -> anyhow::Result<Result<Tried, Finding>> {
    let good = corpus::read(target.name)?;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut tried = Tried::default();
    for document in &good {
        if let Err(what) = attempt(target, document) {
            let (number, input) = (tried.inputs, document.clone());
            return Ok(Err(Finding {
                number,
                input,
                what,
            }));
        }
    }
    while goes_on(tried.inputs) {
        let choose = |random: &mut fastrand::Rng| {
            let at = random.usize(0..good.len() + kept.len());
            good.get(at)
                .unwrap_or_else(|| &kept[at - good.len()])
                .clone()
        };
        let (document, other) = (choose(&mut random), choose(&mut random));
        let input = broken(&mut random, &document, &other, target.dictionary);
        if let Some(current) = current {
            std::fs::write(current, &input)?;
        }
        match attempt(target, &input) {
            Ok((accepted, memory)) => {
                tried.most_memory = tried.most_memory.max(memory);
                if accepted {
                    tried.accepted += 1;
                    let at = random.usize(0..KEPT);
                    if at < kept.len() {
                        kept[at] = input;
                    } else {
                        kept.push(input);
                    }
                }
            }
            Err(what) => {
                let number = tried.inputs;
                return Ok(Err(Finding {
                    number,
                    input,
                    what,
                }));
            }
        }
        tried.inputs += 1;
    }
    Ok(Ok(tried))
}

/// Feeds one input: whether it was accepted, and what was allocated at most.
///
/// # Errors
/// What it did that it should not.
pub fn attempt(target: &Target, input: &[u8]) -> Result<(bool, usize), String> {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let begin = Instant::now();
    let accepted = catch_unwind(AssertUnwindSafe(|| (target.accepts)(input)))
        .map_err(|panic| format!("panics: {}", message(&*panic)))?;
    let memory = ALLOCATED.peak_usage().saturating_sub(before);
    if memory > MOST_MEMORY {
        return Err(format!("allocates {memory} bytes"));
    }
    if begin.elapsed() > MOST_TIME {
        return Err(format!("takes {} s", begin.elapsed().as_secs()));
    }
    Ok((accepted, memory))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
