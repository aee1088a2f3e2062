//! Control requests from the load generator to a backend, past the proxy.

use std::io;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Duration, Instant};

use super::{
    ports::{Transport, address},
    state::State,
};

/// Lets a port throttle for [`THROTTLE`].
pub(crate) async fn throttle(port: u16) -> io::Result<()> {
    send_control(port, THROTTLE_PATH).await.map(drop)
}

/// Returns the number of requests that a port has refused.
pub(crate) async fn refusals(port: u16) -> io::Result<f64> {
    if Transport::of_port(port) != Transport::Clear {
        // Ports with TLS do not refuse requests.
        return Ok(0.0);
    }
    let refusals = send_control(port, REFUSALS_PATH).await?;
    refusals.parse().map_err(io::Error::other)
}

/// Returns the milliseconds from the end of the throttling of a port to its next use. `None` if the port was not used.
pub(crate) async fn reopened_after(port: u16) -> io::Result<Option<f64>> {
    Ok(send_control(port, REOPENED_PATH).await?.parse().ok())
}

pub(super) fn answer(state: &State, path: &str) -> Option<Bytes> {
    let answer = match path {
        THROTTLE_PATH => {
            state.throttle_until(Instant::now() + THROTTLE);
            String::new()
        }
        REFUSALS_PATH => state.refusals().to_string(),
        REOPENED_PATH => match state.reopened_after() {
            Some(after) => (after.as_secs_f64() * 1e3).to_string(),
            None => String::new(),
        },
        _ => return None,
    };
    Some(answer.into())
}

async fn send_control(port: u16, path: &str) -> io::Result<String> {
    let request = Request::get(format!("http://{}{path}", address(port)))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(io::Error::other)?;
    let body = response.into_body().collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    String::from_utf8(body.into()).map_err(io::Error::other)
}

const THROTTLE: Duration = Duration::from_secs(3);
const THROTTLE_PATH: &str = "/_throttle";
const REFUSALS_PATH: &str = "/_refusals";
const REOPENED_PATH: &str = "/_reopened";
