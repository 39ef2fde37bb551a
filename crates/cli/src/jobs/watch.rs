//! `jobs watch`: a job until its end: a bar on a terminal, lines otherwise, or JSON.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use bridge_core::text::brief;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answer::answer;
use crate::jobs::client::Client;
use crate::jobs::look::Look;
use crate::paint::{of_phase, painted};
use crate::rate::Meter;
use crate::{Outcome, interrupt, tell};

/// A function that does not answer so often in a row is not asked again.
const MOST_FAILURES: usize = 5;

/// Watches a job until it ends, or nobody watches any more.
///
/// # Errors
/// When the function refuses, or does not answer.
pub(super) async fn run(
    client: &Client,
    job: &str,
    interval: Duration,
    is_json: bool,
) -> anyhow::Result<Outcome> {
    // What is told then is told once the bar is gone.
    let stop = interrupt::stop_on_interrupt(|| {})?;
    let mut watcher = Watcher {
        client,
        screen: Screen::new(is_json),
        meter: Meter::default(),
        is_depth_known: true,
    };
    let end = tokio::select! {
        end = watcher.until_end(job, interval) => Some(end),
        () = stop.cancelled() => None,
    };
    watcher.screen.clear();
    let Some(look) = end.transpose()? else {
        tell(&format!(
            "no longer watched; the job goes on: s3-sqs-bridge jobs watch {job} --stack {}",
            client.stack
        ));
        return Ok(Outcome::Interrupted);
    };
    if !is_json {
        let told = look.told(&client.stack);
        let (first, rest) = told.split_at(look.phase.len());
        answer(&format!("{}{rest}", painted(first, of_phase(first))))?;
    }
    Ok(look.end().unwrap_or(Outcome::Interrupted))
}

struct Watcher<'a> {
    client: &'a Client,
    screen: Screen,
    meter: Meter,
    is_depth_known: bool,
}

impl Watcher<'_> {
    /// The look at its end, or the last one that anybody reads.
    async fn until_end(&mut self, job: &str, interval: Duration) -> anyhow::Result<Look> {
        loop {
            let status = self.status(job, interval).await?;
            let mut look = Look::of(&status);
            look.depth = self.depth(look.queue_url.as_deref()).await;
            look.measure(&mut self.meter, Instant::now());
            let is_read = self.screen.show(&look, &self.meter);
            if look.end().is_some() || !is_read {
                return Ok(look);
            }
            sleep(interval).await;
        }
    }

    /// Lambda may be busy for a moment; what is wrong with the question does not pass.
    async fn status(&self, job: &str, interval: Duration) -> anyhow::Result<Value> {
        let asked = json!({ "action": "status", "jobId": job });
        for _ in 1..MOST_FAILURES {
            match self.client.try_ask(&asked).await {
                Ok(status) => return Ok(status),
                Err(error) if error.is_of_the_input() => break,
                Err(error) => {
                    let error = brief(&error.to_string());
                    self.screen
                        .aside(&format!("no look at the job: {error}; trying again"));
                    sleep(interval).await;
                }
            }
        }
        self.client.ask(&asked).await
    }

    /// A queue that may not be asked is told once; the job can be watched without.
    async fn depth(&mut self, url: Option<&str>) -> Option<u64> {
        let url = url.filter(|_| self.is_depth_known)?;
        match self.client.depth(url).await {
            Ok(depth) => Some(depth),
            Err(refusal) => {
                self.is_depth_known = false;
                let refusal = brief(&refusal.to_string());
                self.screen
                    .aside(&format!("the depth of {url} is not known: {refusal}"));
                None
            }
        }
    }
}

/// Where looks are shown.
enum Screen {
    /// Each as a line on standard output.
    Json,
    /// On a terminal.
    Bar(ProgressBar),
    /// A line each that differs from the last one.
    Lines(String),
}

impl Screen {
    fn new(is_json: bool) -> Self {
        if is_json {
            Self::Json
        } else if std::io::stderr().is_terminal() {
            Self::Bar(ProgressBar::no_length().with_style(scanning_style()))
        } else {
            Self::Lines(String::new())
        }
    }

    /// Whether anybody reads it.
    fn show(&mut self, look: &Look, meter: &Meter) -> bool {
        match self {
            Self::Json => {
                return writeln!(std::io::stdout(), "{}", look.as_json(meter)).is_ok();
            }
            Self::Bar(_) | Self::Lines(_) if look.end().is_some() => {}
            Self::Bar(bar) => {
                if let (Some(planned), None) = (look.planned, bar.length()) {
                    bar.set_length(planned);
                    bar.set_style(sending_style());
                }
                bar.set_position(look.sent);
                bar.set_prefix(look.doing());
                bar.set_message(look.progress(meter));
                bar.tick();
            }
            Self::Lines(last) => {
                let line = look.line(meter);
                if line != *last {
                    tell(&line);
                    *last = line;
                }
            }
        }
        true
    }

    /// Tells something beside the looks.
    fn aside(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| tell(text)),
            Self::Json | Self::Lines(_) => tell(text),
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn scanning_style() -> ProgressStyle {
    style("{spinner} {prefix}: {msg}")
}

fn sending_style() -> ProgressStyle {
    style("{prefix} [{wide_bar}] {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
