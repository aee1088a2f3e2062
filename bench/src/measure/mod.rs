//! Measures processes, and evaluates the results.

mod metric;
mod process;
mod procfs;
mod statistics;
mod window;

pub(crate) use self::{
    metric::{Metric, Sample},
    process::Process,
    statistics::{Spread, percentile},
    window::Window,
};
