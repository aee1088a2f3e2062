//! Runs scenarios: the contenders in turn, several times.

use std::{fs, io, path::PathBuf};

use clap::builder::PossibleValuesParser;
use tokio::time::Duration;

use crate::{
    load::Times,
    measure::{Metric, Sample},
    report::{Report, Table},
    scenario::{self, Contender, Scenario},
    stage::Stage,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Scenarios to run; all by default
    #[arg(value_parser = PossibleValuesParser::new(scenario::all().iter().map(|scenario| scenario.name)))]
    scenarios: Vec<String>,
    /// Measure 2 s each, only to show that the scenarios work
    #[arg(long)]
    quick: bool,
    /// Number of repetitions per contender
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Write the report to this file as well
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

/// Runs the scenarios and prints the report.
pub(crate) async fn run(args: &Args) -> io::Result<()> {
    let stage = Stage::new().await?;
    let mut report = Report::begin(args.times(), args.repetitions);
    for scenario in scenario::all() {
        if args.is_wanted(&scenario) {
            report.add(measure(&scenario, args, &stage).await?);
        }
    }
    let report = report.end();
    println!("{report}");
    if let Some(file) = &args.output {
        fs::write(file, report)?;
    }
    Ok(())
}

async fn measure(scenario: &Scenario, args: &Args, stage: &Stage) -> io::Result<Table> {
    let mut table = Table::new(scenario);
    for repetition in 1..=args.repetitions {
        for (row, contender) in scenario.contenders.iter().enumerate() {
            if !contender.is_able {
                continue;
            }
            let process = stage.start(contender).await?;
            let sample = stage
                .load(scenario, contender, &process, args.times())
                .await?;
            progress(scenario, contender, repetition, &sample);
            table.add(row, sample);
        }
    }
    Ok(table)
}

fn progress(scenario: &Scenario, contender: &Contender, repetition: usize, sample: &Sample) {
    let value = |(metric, value): (&Metric, &f64)| format!("{} {value:.2}", metric.title());
    let values: Vec<_> = sample.iter().map(value).collect();
    let (scenario, contender) = (scenario.name, &contender.name);
    let values = values.join(", ");
    eprintln!("{scenario} {repetition}: {contender}: {values}");
}
