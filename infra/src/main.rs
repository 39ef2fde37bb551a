//! `cargo run -p infra -- cost`: what the stack costs; `-- policies`: what it allows.

use clap::{Args, Parser, Subcommand};
use infra::choices::stacks;
use infra::cost::{LiveOrder, Usage, table};
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
}

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
            let template = Template::parse(include_str!("../../template.yaml"))?;
            for line in policy::lines(&stacks(&template)?) {
                println!("{line}");
            }
        }
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
