//! `cargo run -p infra -- cost`: what the stack costs.

use clap::{Args, Parser, Subcommand};
use infra::cost::{PRICES, Prices, Usage, table};

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

fn main() -> Result<(), serde_norway::Error> {
    let Command::Cost(cost) = Arguments::parse().command;
    let usage = Usage {
        versions: cost.versions.into(),
        events: cost.events.into(),
        records_per_message: cost.records_per_message.max(1).into(),
        live: cost.live.into(),
        fifo: !cost.standard,
        arm64: cost.arm64,
        memory: cost.memory.max(128).into(),
    };
    print!("{}", table(&Prices::read(PRICES)?, &usage));
    Ok(())
}
