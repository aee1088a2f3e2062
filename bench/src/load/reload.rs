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
    // A replaced process took its own peak with it.
    sample.insert(Metric::PeakMemory, peak as f64 / 1024.0);
    Ok(sample)
}

/// Reloads once a second, and in between samples the memory of all processes of the proxy.
async fn reload(target: &Target<'_>, peak: &mut u64) -> io::Result<Infallible> {
    let mut look = interval(Duration::from_secs(1) / LOOKS);
    let mut generation = 0;
    loop {
        for _ in 0..LOOKS {
            look.tick().await;
            *peak = target.process.memory()?.max(*peak);
        }
        generation += 1;
        let setup = target.setup.reweighted(generation);
        target.peer.reload(target.process, &setup, target.temp)?;
    }
}

/// Samples between two reloads: an old process may be gone in less than a second.
const LOOKS: u32 = 20;
