//! Tessera's benches. `cargo xtask bench <name>` builds all that they need and starts them.
#![allow(clippy::print_stdout, reason = "a bench's table is its output")]
#![allow(clippy::float_arithmetic, reason = "ratios and percentiles, no money")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod bare;
mod floor;
mod host;
mod load;
mod neighbour;
mod plain;
mod plugins;
mod reserve;
mod sandbox;
mod table;
mod tenants;
mod tracker;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Tessera beside its floors.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Getting, listing and creating issues over REST and gRPC on the three stores.
    Tracker(tracker::Options),
    /// Reservations over gRPC beside a counter row, one hot event and many.
    Reserve(reserve::Options),
    /// Calls of plugins beside plain wasmtime and native code, and creations with plugins at work.
    Sandbox(sandbox::Options),
    /// Tenants with plugins: memory for each, the start of a host, and a hostile one beside a healthy one.
    Tenants(tenants::Options),
    /// A bare server that answers with given bytes: what others are measured by.
    #[command(hide = true)]
    Floor {
        /// Which library serves.
        kind: floor::Kind,
        /// The file with the answer's bytes.
        answer: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().bench {
        Bench::Tracker(options) => tracker::run(options).await,
        Bench::Reserve(options) => reserve::run(options).await,
        Bench::Sandbox(options) => sandbox::run(options).await,
        Bench::Tenants(options) => tenants::run(options).await,
        Bench::Floor { kind, answer } => floor::serve(kind, &answer).await,
    }
}
