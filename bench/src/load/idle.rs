use std::io;

use hyper::client::conn::http1::SendRequest;
use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};

use super::{
    Target,
    client::{Body, connect, is_complete, post_to_origin},
    request_body,
};
use crate::measure::{Metric, Sample};

pub(super) async fn run(target: &Target<'_>, connections: usize) -> io::Result<Sample> {
    // The allocations of the first requests are not part of the memory per connection.
    for _ in 0..10 {
        drop(open(target.path, AT_ONCE).await?);
    }
    sleep(SETTLE).await;
    let before = target.process.memory()?;

    let open = open(target.path, connections).await?;
    sleep(SETTLE).await;
    let memory = target.process.memory()? - before;
    let lost = open.iter().filter(|connection| connection.is_closed());
    Ok(Sample::from([
        (
            Metric::MemoryPerConnection,
            memory as f64 / connections as f64,
        ),
        (Metric::Lost, lost.count() as f64),
    ]))
}

/// Opens connections and uses each of them once.
async fn open(path: &'static str, connections: usize) -> io::Result<Vec<SendRequest<Body>>> {
    let mut open = Vec::with_capacity(connections);
    while open.len() < connections {
        let mut tasks = JoinSet::new();
        for _ in 0..AT_ONCE.min(connections - open.len()) {
            tasks.spawn(used_once(path));
        }
        while let Some(connection) = tasks.join_next().await {
            open.push(connection??);
        }
    }
    Ok(open)
}

async fn used_once(path: &str) -> io::Result<SendRequest<Body>> {
    let mut connection = connect().await?;
    let request = post_to_origin(path, request_body())?;
    let response = connection.send_request(request).await;
    if !is_complete(response.map_err(io::Error::other)?).await {
        return Err(io::Error::other("a request was lost"));
    }
    Ok(connection)
}

/// The number of concurrent requests. It is low, so that connections to the backend do not matter.
const AT_ONCE: usize = 50;
const SETTLE: Duration = Duration::from_secs(1);
