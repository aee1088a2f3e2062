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
    /// Runs the mock backends.
    Backend(backend::Args),
    /// Runs the floor: a proxy without the logic of the gateway.
    Floor(floor::Args),
    /// Runs all scenarios, or those given by name.
    Run(suite::Args),
    /// Runs an instrumented gateway under the load of some scenarios, for `bench/pgo`.
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
