use std::io;

use super::{Target, Times, payload, wrk::wrk};
use crate::{
    backend,
    measure::{Metric, Sample, Window},
};

pub(super) async fn run(
    target: &Target<'_>,
    times: Times,
    connections: usize,
    body: usize,
) -> io::Result<Sample> {
    let body = payload::chat(body);
    wrk(target, connections, &body, times.warm_up).await?;

    let refusals = backend::refusals(target.first_backend).await?;
    let window = Window::open(target.process)?;
    let count = wrk(target, connections, &body, times.measured).await?;
    let mut sample = window.close(Metric::CpuPerRequest, count.requests)?;
    let refusals = backend::refusals(target.first_backend).await? - refusals;

    sample.insert(Metric::RequestsPerSecond, count.requests / count.seconds);
    if refusals > 0.0 {
        sample.insert(Metric::RefusedPerRequest, refusals / count.requests);
    }
    sample.insert(Metric::Lost, count.lost);
    Ok(sample)
}
