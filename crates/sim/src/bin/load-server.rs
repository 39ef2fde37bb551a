//! Serves a synthetic bucket and a checking queue on a free port of the loopback interface, and
//! writes its address to standard output.

use std::sync::Arc;
use std::time::Duration;

use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Arguments {
    /// hashed, dated, hot-prefix, one-key, non-ascii or every-kind
    #[arg(long, default_value = "hashed", value_parser = shape)]
    shape: Shape,
    /// Versions and delete markers
    #[arg(long, default_value_t = 1_000_000)]
    versions: u64,
    /// Versions a key
    #[arg(long, default_value_t = 2)]
    per_key: u64,
    /// Milliseconds a page
    #[arg(long, default_value_t = 0)]
    list_ms: u64,
    /// Milliseconds a send
    #[arg(long, default_value_t = 0)]
    send_ms: u64,
    /// More lists at the same time are throttled
    #[arg(long, default_value_t = u64::MAX)]
    most_lists: u64,
}

fn shape(name: &str) -> Result<Shape, String> {
    Shape::of_name(name).ok_or_else(|| {
        let names: Vec<_> = Shape::ALL.iter().map(|(name, _)| *name).collect();
        format!("allowed is {}", names.join(", "))
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let mut load = Load::new(Synthetic {
        shape: arguments.shape,
        versions: arguments.versions,
        per_key: arguments.per_key.max(1),
    });
    load.list_latency = Duration::from_millis(arguments.list_ms);
    load.send_latency = Duration::from_millis(arguments.send_ms);
    load.most_lists = arguments.most_lists;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Arc::new(load).serve(listener).await
}
