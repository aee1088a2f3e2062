//! Whole-process benchmarks of the gateway and its peers; `bench/run` runs them.

mod backend;
mod floor;
mod load;
mod measure;
mod peer;
mod report;
mod scenario;
mod stage;
mod suite;
mod tls;
mod train;

use std::{io, process::ExitCode};

use clap::Parser;
use tokio::runtime;

/// Benchmarks the gateway and its peers, side by side.
#[derive(Parser)]
enum Cli {
    /// Plays the backends.
    Backend(backend::Args),
    /// Proxies, and does nothing else.
    Floor(floor::Args),
    /// Runs scenarios: all, or those that are named.
    Run(suite::Args),
    /// Lets a gateway count what it does under the load of some scenarios; `bench/pgo` runs this.
    Train,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillover-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> io::Result<()> {
    let single = || runtime::Builder::new_current_thread().enable_all().build();
    match cli {
        Cli::Backend(args) => single()?.block_on(backend::run(&args)),
        Cli::Floor(args) => floor::run(&args),
        Cli::Run(args) => single()?.block_on(suite::run(&args)),
        Cli::Train => single()?.block_on(train::run()),
    }
}
