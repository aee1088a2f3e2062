use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

use super::{
    Target, Times,
    client::{Body, pooled, post},
    request_body,
};
use crate::{
    backend::{CHUNK, CHUNKS},
    measure::{Metric, Sample, Window, percentile},
};

pub(super) async fn run(target: &Target<'_>, times: Times, at_once: usize) -> io::Result<Sample> {
    let client = pooled();
    let body = request_body();
    let counts = Counts::default();
    // Dropping it at the end drops the streams in flight.
    let mut tasks = JoinSet::new();
    for index in 0..at_once {
        let (client, body, counts) = (client.clone(), body.clone(), counts.clone());
        let path = target.path;
        tasks.spawn(async move {
            // Spreads the starts over the duration of a stream, as with many clients.
            sleep(SPREAD * index as u32 / at_once as u32).await;
            loop {
                let stream = stream(&client, path, body.clone(), &counts).await;
                if stream.is_none() {
                    counts.lock().lost += 1.0;
                }
            }
        });
    }
    sleep(SPREAD.max(times.warm_up)).await;

    let window = Window::open(target.process)?;
    counts.take_counts();
    sleep(times.measured).await;
    let count = counts.take_counts();
    let mut sample = window.close(Metric::CpuPerChunk, (count.bytes / CHUNK) as f64)?;

    let mut waits = count.first_chunks;
    waits.sort_by(f64::total_cmp);
    for (metric, share) in [(Metric::FirstChunkP50, 0.5), (Metric::FirstChunkP99, 0.99)] {
        if let Some(wait) = percentile(&waits, share) {
            sample.insert(metric, wait * 1e3);
        }
    }
    sample.insert(Metric::Lost, count.lost);
    Ok(sample)
}

/// Reads one stream to its end. Returns `None` if it breaks off.
async fn stream(
    client: &Client<HttpConnector, Body>,
    path: &str,
    body: Bytes,
    counts: &Counts,
) -> Option<()> {
    let begun = Instant::now();
    let response = client.request(post(path, body).ok()?).await.ok()?;
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        let mut counts = counts.lock();
        if bytes == 0 {
            let wait = Instant::now() - begun;
            counts.first_chunks.push(wait.as_secs_f64());
        }
        bytes += data.len();
        counts.bytes += data.len();
    }
    (bytes as u64 == CHUNKS * CHUNK as u64).then_some(())
}

#[derive(Clone, Default)]
struct Counts {
    inner: Arc<Mutex<Count>>,
}

#[derive(Default)]
struct Count {
    bytes: usize,
    first_chunks: Vec<f64>,
    lost: f64,
}

impl Counts {
    fn take_counts(&self) -> Count {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SPREAD: Duration = Duration::from_secs(2);
