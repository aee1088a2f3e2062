use std::io;

use bytes::Bytes;
use rustls::client::Resumption;
use tokio::{
    task::JoinSet,
    time::{Duration, Instant},
};
use tokio_rustls::TlsConnector;

use super::{
    Target, Times,
    client::{connect_tls, is_complete, post_to_origin},
    count::Count,
    request_body,
};
use crate::{
    measure::{Metric, Sample, Window},
    tls,
};

pub(super) async fn run(target: &Target<'_>, times: Times, at_once: usize) -> io::Result<Sample> {
    let mut config = tls::Files::in_directory(target.temp).client()?;
    config.resumption = Resumption::disabled();
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    drive(&connector, target.path, at_once, times.warm_up).await?;

    let window = Window::open(target.process)?;
    let begun = Instant::now();
    let count = drive(&connector, target.path, at_once, times.measured).await?;
    let time = (Instant::now() - begun).as_secs_f64();
    let mut sample = window.close(Metric::CpuPerRequest, count.answered)?;
    sample.insert(Metric::RequestsPerSecond, count.answered / time);
    sample.insert(Metric::Lost, count.lost);
    Ok(sample)
}

async fn drive(
    connector: &TlsConnector,
    path: &'static str,
    at_once: usize,
    time: Duration,
) -> io::Result<Count> {
    let body = request_body();
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (connector, body) = (connector.clone(), body.clone());
        tasks.spawn(async move {
            let mut count = Count::default();
            while Instant::now() < end {
                match send_on_new_connection(&connector, path, body.clone()).await {
                    Ok(true) => count.answered += 1.0,
                    Ok(false) | Err(_) => count.lost += 1.0,
                }
            }
            Ok(count)
        });
    }
    Count::of_all(tasks).await
}

/// Sends a request on its own connection. Returns true if it was answered.
async fn send_on_new_connection(
    connector: &TlsConnector,
    path: &str,
    body: Bytes,
) -> io::Result<bool> {
    let mut connection = connect_tls(connector).await?;
    let mut request = post_to_origin(path, body)?;
    let close = http::HeaderValue::from_static("close");
    request.headers_mut().insert("connection", close);
    let response = connection.send_request(request).await;
    Ok(is_complete(response.map_err(io::Error::other)?).await)
}
