//! `doctor`: whether a deployed stack is as it must be, looked at from outside; or what `serve` needs.
//!
//! - [`gather`]: asks AWS, and keeps what was answered as [`facts`]; [`metrics`]: of the last hour; [`beside`]: what stands
//!   beside the stack
//! - [`served`]: asks what `serve` would ask, by its options and environment
//! - [`checks`]: from facts to [`finding`]s, each with what to do
//! - [`canary`]: an object that is followed from the bucket to a queue
//! - [`told`]: the findings as text or as JSON

mod beside;
mod canary;
mod checks;
mod facts;
mod finding;
mod gather;
mod metrics;
mod served;
mod told;

use bridge_aws::sdk::SdkConfig;
use bridge_core::config::check_queue_url;
use bridge_core::notification::buckets::Buckets;
use clap::Args;

use crate::account::Account;
use crate::answer::answer;
use crate::doctor::canary::Perch;
use crate::doctor::finding::Finding;
use crate::interrupt::stop_on_interrupt;
use crate::serve::options::{ServeArguments, Settings};
use crate::stack::Stack;
use crate::{Outcome, Usage, tell};

/// Options of `doctor`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct DoctorArguments {
    /// The deployed stack's name; required, except with `--serve`
    #[arg(long, value_name = "NAME", required_unless_present = "serve")]
    stack: Option<String>,
    /// Look at what `serve` needs, by the options below and its environment, and at `serve` itself where it runs
    #[arg(long, conflicts_with_all = ["stack", "write"])]
    serve: bool,
    /// Also let the reseed function write a plan object and read it back
    #[arg(long)]
    write: bool,
    /// Also put, overwrite and delete an object in the bucket, and follow each change to the queue of
    /// `--canary-queue-url`
    ///
    /// The object is below `s3-sqs-bridge-canary/`, behind the stack's `KeyPrefix` (`KEY_PREFIX` of `serve`), and is
    /// removed for good at the end, also after Ctrl-C or SIGTERM. A consumer gets its events.
    #[arg(long, requires = "canary_queue_url")]
    canary: bool,
    /// The queue in which the canary's events must arrive: that of events, or one that its messages are handed on to;
    /// required with `--canary`
    ///
    /// Its messages are received: those of the canary are deleted, others are hidden until all of them have arrived, two
    /// minutes at most, and can then be read again; that counts as one receive of theirs.
    #[arg(long, value_name = "URL", requires = "canary")]
    canary_queue_url: Option<String>,
    /// Write the findings as one JSON object
    #[arg(long)]
    json: bool,
    /// As `serve` is told.
    #[command(flatten, next_help_heading = "With --serve, as serve is told")]
    told: ServeArguments,
}

/// Looks at everything, and tells it.
///
/// # Errors
/// When there is no such stack, or nobody may ask for it; [`Usage`] where `serve` would not begin.
pub(crate) async fn run(account: &Account, arguments: DoctorArguments) -> anyhow::Result<Outcome> {
    if let Some(url) = &arguments.canary_queue_url {
        check_queue_url("--canary-queue-url", url).map_err(|e| Usage(e.to_string()))?;
    }
    let canary = arguments.canary_queue_url.filter(|_| arguments.canary);
    let looked = if let Some(name) = &arguments.stack {
        let config = account.open("stack").await?;
        let stack = Stack::find(&config, name).await?;
        stack.output("ReseedFunction")?;
        of_stack(&config, stack, arguments.write, canary).await?
    } else {
        let config = account.open("queue").await?;
        let region = config.region().map_or("", |region| region.as_ref());
        let lookup = |name: &str| std::env::var(name).ok();
        let settings = Settings::read(&arguments.told, region, &lookup)?;
        of_serve(&config, &arguments.told, settings, canary).await?
    };
    let told = told::Told {
        stack: arguments.stack.as_deref(),
        findings: &looked.findings,
    };
    answer(&if arguments.json {
        told.as_json().to_string()
    } else {
        told.as_text()
    })?;
    Ok(if looked.is_interrupted {
        Outcome::Interrupted
    } else {
        told.outcome()
    })
}

/// What was found.
struct Looked {
    findings: Vec<Finding>,
    /// Whether the canary was.
    is_interrupted: bool,
}

async fn of_stack(
    config: &SdkConfig,
    stack: Stack,
    has_written: bool,
    canary: Option<String>,
) -> anyhow::Result<Looked> {
    let facts = Box::pin(gather::gather(config, stack, has_written)).await;
    let mut looked = Looked {
        findings: checks::all(&facts),
        is_interrupted: false,
    };
    if let (Some(url), Some(bucket)) = (canary, facts.stack.outputs.get("BucketName")) {
        let perch = Perch {
            bucket,
            prefix: facts.stack.parameter("KeyPrefix"),
            suffix: facts.stack.parameter("KeySuffix"),
        };
        looked.follow(config, perch, &url).await?;
    }
    Ok(looked)
}

async fn of_serve(
    config: &SdkConfig,
    arguments: &ServeArguments,
    settings: Settings,
    canary: Option<String>,
) -> anyhow::Result<Looked> {
    let facts = Box::pin(served::gather(config, arguments, &settings)).await;
    let mut looked = Looked {
        findings: checks::served::check(&facts),
        is_interrupted: false,
    };
    if let Some(url) = canary {
        let Buckets::Named(bucket) = &settings.realtime.buckets else {
            return Err(Usage(
                "--canary: BUCKET_NAME must name the bucket that an object is to be put into"
                    .to_owned(),
            )
            .into());
        };
        let common = &settings.realtime.common;
        let perch = Perch {
            bucket,
            prefix: &common.key_prefix,
            suffix: &common.key_suffix,
        };
        looked.follow(config, perch, &url).await?;
    }
    Ok(looked)
}

impl Looked {
    /// Follows a canary, and takes in what came of it. All before only reads: what interrupts that need not be heard.
    async fn follow(
        &mut self,
        config: &SdkConfig,
        perch: Perch<'_>,
        url: &str,
    ) -> anyhow::Result<()> {
        tell("following an object from the bucket to the queue, for up to two minutes");
        let stop = stop_on_interrupt(|| {
            tell(
                "interrupted: removing the object and giving messages back, once the queue has answered; once more ends at \
                 once, and leaves them",
            );
        })?;
        let finding = canary::follow(config, perch, url, &stop).await;
        self.findings.push(finding);
        self.is_interrupted = stop.is_cancelled();
        Ok(())
    }
}
