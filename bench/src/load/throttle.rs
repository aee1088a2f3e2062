use std::io;

use tokio::time::{Duration, sleep};

use super::{Target, request_body, wrk::wrk};
use crate::{
    backend,
    measure::{Metric, Sample},
};

pub(super) async fn run(target: &Target<'_>, connections: usize) -> io::Result<Sample> {
    let body = request_body();
    let refusals = backend::refusals(target.first_backend).await?;
    let throttle = async {
        sleep(BEFORE).await;
        backend::throttle(target.first_backend).await
    };
    let (count, throttled) = tokio::join!(wrk(target, connections, &body, TIME), throttle);
    let count = count?;
    throttled?;
    let refusals = backend::refusals(target.first_backend).await? - refusals;

    let mut sample = Sample::from([
        (Metric::RequestsPerSecond, count.requests / count.seconds),
        (Metric::Refusals, refusals),
        (Metric::Lost, count.lost),
    ]);
    if let Some(after) = backend::reopened_after(target.first_backend).await? {
        sample.insert(Metric::ReopenedAfter, after);
    }
    Ok(sample)
}

const BEFORE: Duration = Duration::from_secs(1);

/// The duration of the load. It exceeds the 10 s for which nginx does not use a failed server by default.
const TIME: Duration = Duration::from_secs(14);
