//! An open loop. Latency counts from the time at which a request was due. A closed loop would send fewer requests to a
//! stalled proxy and so hide the stall.

use std::{io, thread};

use bytes::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

use super::{
    Target, Times,
    client::{Body, is_complete, pooled, post},
    request_body,
};
use crate::measure::{Metric, Sample, Window, percentile};

pub(super) async fn run(target: &Target<'_>, times: Times, per_second: u32) -> io::Result<Sample> {
    let client = pooled();
    drive(&client, target.path, per_second, times.warm_up).await?;

    let window = Window::open(target.process)?;
    let latencies = drive(&client, target.path, per_second, times.measured).await?;
    let mut sample = window.close(Metric::CpuPerRequest, latencies.len() as f64)?;

    let lost = latencies.iter().filter(|latency| latency.is_none()).count();
    let mut answered: Vec<f64> = latencies.into_iter().flatten().collect();
    answered.sort_by(f64::total_cmp);
    for (metric, share) in [
        (Metric::LatencyP50, 0.5),
        (Metric::LatencyP99, 0.99),
        (Metric::LatencyP999, 0.999),
    ] {
        if let Some(latency) = percentile(&answered, share) {
            sample.insert(metric, latency * 1e3);
        }
    }
    sample.insert(Metric::Lost, lost as f64);
    Ok(sample)
}

/// Returns the latency of each request in seconds, without lost requests.
async fn drive(
    client: &Client<HttpConnector, Body>,
    path: &'static str,
    per_second: u32,
    time: Duration,
) -> io::Result<Vec<Option<f64>>> {
    let body = request_body();
    let mut arrivals = arrivals(per_second, time);
    let mut tasks = JoinSet::new();
    while let Some(due) = arrivals.recv().await {
        tasks.spawn(send(client.clone(), path, body.clone(), due));
    }
    Ok(tasks.join_all().await)
}

async fn send(
    client: Client<HttpConnector, Body>,
    path: &'static str,
    body: Bytes,
    due: Instant,
) -> Option<f64> {
    let request = client.request(post(path, body).ok()?);
    let response = timeout(TIMEOUT, request).await.ok()?.ok()?;
    let is_complete = is_complete(response).await;
    let latency = Instant::now() - due;
    is_complete.then_some(latency.as_secs_f64())
}

/// Sends the time at which each request is due, at that time.
fn arrivals(per_second: u32, time: Duration) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    let requests = time.as_secs() as u32 * per_second;
    thread::spawn(move || {
        let start = Instant::now();
        for request in 0..requests {
            let due = start + Duration::from_secs(1) * request / per_second;
            sleep_until(due);
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}

#[expect(
    clippy::disallowed_methods,
    reason = "in a thread of its own: the timer of Tokio ticks once in a millisecond"
)]
fn sleep_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

const TIMEOUT: Duration = Duration::from_secs(10);
