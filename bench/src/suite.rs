//! Runs scenarios: the contenders in turn, several times.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

use clap::builder::PossibleValuesParser;
use tokio::time::Duration;

use crate::{
    backend,
    load::{Target, Times},
    measure::{Metric, Process, Sample},
    report::{Report, Table},
    scenario::{self, Contender, Scenario},
    tls,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Scenarios; all when none is named
    #[arg(value_parser = PossibleValuesParser::new(scenario::all().iter().map(|scenario| scenario.name)))]
    scenarios: Vec<String>,
    /// Measures 2 s each, which shows that it works, and no more
    #[arg(long)]
    quick: bool,
    /// How often each contender is measured
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Writes the report to this file as well
    #[arg(long)]
    output: Option<PathBuf>,
}

impl Args {
    fn is_wanted(&self, scenario: &Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == scenario.name)
    }

    fn times(&self) -> Times {
        let (warm_up, measured) = if self.quick { (1, 2) } else { (2, 6) };
        Times {
            warm_up: Duration::from_secs(warm_up),
            measured: Duration::from_secs(measured),
        }
    }
}

/// Runs, and reports.
pub(crate) async fn run(args: &Args) -> io::Result<()> {
    let temp = Temp::new()?;
    tls::Files::in_directory(&temp.path).issue()?;
    let _backends = start_backends(&temp.path).await?;
    let mut report = Report::begin(args.times(), args.repetitions);
    for scenario in scenario::all() {
        if args.is_wanted(&scenario) {
            report.add(measure(&scenario, args, &temp.path).await?);
        }
    }
    let report = report.end();
    println!("{report}");
    if let Some(file) = &args.output {
        fs::write(file, report)?;
    }
    Ok(())
}

async fn start_backends(temp: &Path) -> io::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("backend").arg(temp);
    let log = temp.join("backend.log");
    Process::start(&command, LOAD_CORE, backend::address(backend::FINE), &log).await
}

async fn measure(scenario: &Scenario, args: &Args, temp: &Path) -> io::Result<Table> {
    let mut table = Table::new(scenario);
    for repetition in 1..=args.repetitions {
        for (row, contender) in scenario.contenders.iter().enumerate() {
            if !contender.is_able {
                continue;
            }
            let sample = measure_once(scenario, contender, args.times(), temp).await?;
            progress(scenario, contender, repetition, &sample);
            table.add(row, sample);
        }
    }
    Ok(table)
}

async fn measure_once(
    scenario: &Scenario,
    contender: &Contender,
    times: Times,
    temp: &Path,
) -> io::Result<Sample> {
    let process = contender.peer.start(&contender.setup, temp).await?;
    let first_backend = contender.setup.backends.first();
    let target = Target {
        process: &process,
        peer: contender.peer,
        setup: &contender.setup,
        path: contender.path,
        first_backend: first_backend.map_or(backend::FINE, |upstream| upstream.port),
        temp,
    };
    scenario.load.run(&target, times).await
}

fn progress(scenario: &Scenario, contender: &Contender, repetition: usize, sample: &Sample) {
    let value = |(metric, value): (&Metric, &f64)| format!("{} {value:.2}", metric.title());
    let values: Vec<_> = sample.iter().map(value).collect();
    let (scenario, contender) = (scenario.name, &contender.name);
    let values = values.join(", ");
    eprintln!("{scenario} {repetition}: {contender}: {values}");
}

/// A directory for configurations and logs, removed at the end.
struct Temp {
    path: PathBuf,
}

impl Temp {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("spillover-bench-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where `bench/run` puts this process, too.
const LOAD_CORE: &str = "1";
