use std::io;

use tokio::time::{Duration, Instant};

use super::{Metric, Process, Sample};

/// The time of the measurement.
pub(crate) struct Window<'a> {
    process: &'a Process,
    begun: Instant,
    cpu: Duration,
}

impl<'a> Window<'a> {
    pub(crate) fn open(process: &'a Process) -> io::Result<Self> {
        process.forget_peak()?;
        Ok(Self {
            process,
            begun: Instant::now(),
            cpu: process.cpu()?,
        })
    }

    /// Returns the usage of the process: the total, and `per` for each of `count` things.
    pub(crate) fn close(self, per: Metric, count: f64) -> io::Result<Sample> {
        let cpu = (self.process.cpu()? - self.cpu).as_secs_f64();
        let time = (Instant::now() - self.begun).as_secs_f64();
        let peak = self.process.peak_memory()?;
        Ok(Sample::from([
            (per, cpu * 1e6 / count),
            (Metric::CoreBusy, cpu * 100.0 / time),
            (Metric::PeakMemory, peak as f64 / 1024.0),
        ]))
    }
}
