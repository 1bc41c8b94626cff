//! Tessera's benches. `cargo xtask bench <name>` builds the host and the benches and runs one of them, and
//! `cargo xtask bench all` runs all of them and writes `host/docs/PERFORMANCE.md`.
#![allow(clippy::print_stdout, reason = "the tables are the output")]
#![allow(clippy::float_arithmetic, reason = "ratios and percentiles, no money")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded for display"
)]

mod client;
mod floor;
mod load;
mod neighbour;
mod overload;
mod page;
mod plain_wasmtime;
mod plugins;
mod process;
mod quote;
mod replay;
mod report;
mod reserve;
mod sandbox;
mod tenants;
mod tracker;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Tessera and its floors.
#[derive(Parser)]
struct Cli {
    /// Description of the build for the head of the tables.
    #[arg(long, env = "TESSERA_BENCH_BUILD", default_value = "Unknown build.")]
    build: String,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Runs all benches and replaces the tables of host/docs/PERFORMANCE.md.
    All(page::Options),
    /// Reads, lists and creates issues over REST and gRPC on the three stores.
    Tracker(tracker::Options),
    /// Reserves tickets over gRPC, of one hot event and of many.
    Reserve(reserve::Options),
    /// Prices baskets over gRPC, with plugins and with native rules, and reserves with and without a rule.
    Quote(quote::Options),
    /// Calls plugins in the sandbox, in plain wasmtime and as native code, and creates issues with plugins installed.
    Sandbox(sandbox::Options),
    /// Measures tenants with plugins: memory, the start of a host, and a hostile neighbour.
    Tenants(tenants::Options),
    /// Creates issues of one tenant with more callers than the host has places for, beside a healthy tenant.
    Overload(overload::Options),
    /// Runs a server that sends the same response to each request.
    #[command(hide = true)]
    Floor {
        /// Library and kind of the response.
        kind: floor::Kind,
        /// File with the bytes of the response.
        response: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let Cli { build, bench } = Cli::parse();
    let tables = match bench {
        Bench::All(options) => return page::run(options, &build).await,
        Bench::Floor { kind, response } => return floor::serve(kind, &response).await,
        Bench::Tracker(options) => tracker::run(options).await,
        Bench::Reserve(options) => reserve::run(options).await,
        Bench::Quote(options) => quote::run(options).await,
        Bench::Sandbox(options) => sandbox::run(options).await,
        Bench::Tenants(options) => tenants::run(options).await,
        Bench::Overload(options) => overload::run(options).await,
    };
    println!("{build}");
    for table in tables? {
        println!("\n{}", table.markdown());
    }
    Ok(())
}
