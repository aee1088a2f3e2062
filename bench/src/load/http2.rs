use std::{io, sync::Arc};

use bytes::Bytes;
use hyper::client::conn::http2::SendRequest;
use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{Duration, Instant},
};

use super::{
    Target, Times,
    client::{Body, connect_http2, is_complete, post},
    count::Count,
    request_body,
};
use crate::measure::{Metric, Sample, Window};

pub(super) async fn run(
    target: &Target<'_>,
    times: Times,
    connections: usize,
    streams: usize,
) -> io::Result<Sample> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        let sender = connect_http2().await?;
        senders.extend(vec![sender; streams]);
    }
    drive(&senders, target.path, times.warm_up).await?;

    let window = Window::open(target.process)?;
    let begun = Instant::now();
    let count = drive(&senders, target.path, times.measured).await?;
    let time = (Instant::now() - begun).as_secs_f64();
    let mut sample = window.close(Metric::CpuPerRequest, count.answered)?;
    sample.insert(Metric::RequestsPerSecond, count.answered / time);
    sample.insert(Metric::Lost, count.lost);
    Ok(sample)
}

/// Each sender has one request in flight.
async fn drive(
    senders: &[SendRequest<Body>],
    path: &'static str,
    time: Duration,
) -> io::Result<Count> {
    let body = request_body();
    let start = Arc::new(Barrier::new(senders.len()));
    let mut tasks = JoinSet::new();
    for sender in senders {
        let (sender, body, start) = (sender.clone(), body.clone(), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            repeat(sender, path, &body, Instant::now() + time).await
        });
    }
    Count::of_all(tasks).await
}

async fn repeat(
    mut sender: SendRequest<Body>,
    path: &str,
    body: &Bytes,
    end: Instant,
) -> io::Result<Count> {
    let mut count = Count::default();
    while Instant::now() < end {
        let request = post(path, body.clone())?;
        let is_answered = match sender.send_request(request).await {
            Ok(response) => is_complete(response).await,
            Err(_) => false,
        };
        if is_answered {
            count.answered += 1.0;
            continue;
        }
        count.lost += 1.0;
        if sender.is_closed() {
            break;
        }
    }
    Ok(count)
}
