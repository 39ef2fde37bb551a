//! `cargo run -p infra -- cost`: what the stack costs; `-- policies`: what it allows; `-- packaged`: the template of a
//! release.

use clap::{Args, Parser, Subcommand};
use infra::choices::stacks;
use infra::cost::{LiveOrder, Usage, table};
use infra::packaged::packaged;
use infra::policy;
use infra::prices::{PRICES, Prices};
use infra::template::Template;

/// Tools around `template.yaml`.
#[derive(Parser)]
#[command(name = "infra")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A table by service: idle, for one reseed, and for live changes
    Cost(Cost),
    /// Everything that is allowed: the lines of `policies.golden.txt`
    Policies,
    /// The template of a release, whose programs lie beside it as `realtime-ARCHITECTURE.zip` and `reseed-…`
    Packaged {
        /// `x86_64` or `arm64`
        #[arg(long, value_parser = ["x86_64", "arm64"])]
        architecture: String,
    },
}

const TEMPLATE: &str = include_str!("../../template.yaml");

#[derive(Args)]
struct Cost {
    /// Object versions that a reseed lists
    #[arg(long, default_value_t = 50_000_000)]
    versions: u32,
    /// Events that a reseed sends
    #[arg(long, default_value_t = 10_000_000)]
    events: u32,
    /// Events that share a message (`recordsPerMessage`)
    #[arg(long, default_value_t = 1)]
    records_per_message: u32,
    /// Live changes
    #[arg(long, default_value_t = 1_000_000)]
    live: u32,
    /// Live changes that share an invocation (`Ingestion=buffered`); 0 for direct ingestion
    #[arg(long, default_value_t = 0)]
    buffered: u32,
    /// Changes come by an event bus (`ExistingBucket`)
    #[arg(long)]
    existing_bucket: bool,
    /// What is done about live changes in the wrong order (`LiveOrder`)
    #[arg(long, value_enum, default_value_t = LiveOrder::Notified)]
    live_order: LiveOrder,
    /// A standard queue instead of a FIFO queue
    #[arg(long)]
    standard: bool,
    /// Functions on arm64
    #[arg(long)]
    arm64: bool,
    /// MiB of the reseed function (`ReseedMemory`)
    #[arg(long, default_value_t = 1024)]
    memory: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Arguments::parse().command {
        Command::Cost(cost) => print!("{}", table(&Prices::read(PRICES)?, &usage(&cost))),
        Command::Policies => {
            let template = Template::parse(TEMPLATE)?;
            for line in policy::lines(&stacks(&template)?) {
                println!("{line}");
            }
        }
        Command::Packaged { architecture } => print!("{}", packaged(TEMPLATE, &architecture)?),
    }
    Ok(())
}

fn usage(cost: &Cost) -> Usage {
    Usage {
        versions: cost.versions.into(),
        events: cost.events.into(),
        records_per_message: cost.records_per_message.max(1).into(),
        live: cost.live.into(),
        batch: cost.buffered.into(),
        existing_bucket: cost.existing_bucket,
        live_order: cost.live_order,
        fifo: !cost.standard,
        arm64: cost.arm64,
        memory: cost.memory.max(128).into(),
    }
}
