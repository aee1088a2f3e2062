use std::{convert::Infallible, io};

use tokio::time::{Duration, interval};

use super::{Target, Times, rate};
use crate::measure::{Metric, Sample};

pub(super) async fn run(target: &Target<'_>, times: Times, per_second: u32) -> io::Result<Sample> {
    let mut peak = 0;
    let mut sample = tokio::select! {
        sample = rate::run(target, times, per_second) => sample?,
        Err(error) = reload(target, &mut peak) => return Err(error),
    };
    // The peak of a replaced process is not readable any more, so that the sampled one is reported.
    sample.insert(Metric::PeakMemory, peak as f64 / 1024.0);
    Ok(sample)
}

/// Reloads once a second, and samples the memory of all processes of the proxy in between.
async fn reload(target: &Target<'_>, peak: &mut u64) -> io::Result<Infallible> {
    let mut ticks = interval(Duration::from_secs(1) / SAMPLES);
    let mut generation = 0;
    loop {
        for _ in 0..SAMPLES {
            ticks.tick().await;
            *peak = target.process.memory()?.max(*peak);
        }
        generation += 1;
        let setup = target.setup.reweighted(generation);
        target.peer.reload(target.process, &setup, target.temp)?;
    }
}

/// The number of samples between two reloads: an old process may end in less than a second.
const SAMPLES: u32 = 20;
