//! Tests of the layer over an inner service that responds by a script, on paused time.

mod answers;
mod sending;
mod service;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use spillover_core::{Attempts, Backend, Outcome, Pool, Query, Selected};
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::time::{Instant, advance, sleep};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{ServiceExt, retry::budget::TpsBudget};
use tower_layer::Layer;
use tower_service::Service;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The delay before the hedge.
const DELAY: Duration = Duration::from_secs(2);

type Body = Full<Bytes>;
type Inner = Probe<Body, usize, &'static str>;

/// The seconds until the answer of an attempt, and the answer: a status or an error.
type Reply = (u64, Result<u16, &'static str>);

/// Creates a service that answers in this order. The body of a response is the number of the attempt.
fn replies<const N: usize>(replies: [Reply; N]) -> Inner {
    let mut replies = replies.into_iter().enumerate();
    Probe::new(move |_: Request<Body>| {
        let (attempt, (seconds, answer)) = replies.next().expect("one attempt too many");
        async move {
            sleep(SECOND * u32::try_from(seconds).unwrap()).await;
            Ok(response(answer?, attempt))
        }
    })
}

fn response(status: u16, attempt: usize) -> Response<usize> {
    Response::builder().status(status).body(attempt).unwrap()
}

fn request() -> Request<Body> {
    Request::new(Full::from("question"))
}

/// Returns true if the hedge won. `None` without a hedge.
fn hedged<B>(response: &Response<B>) -> Option<bool> {
    let hedged = response.extensions().get::<Hedged>();
    hedged.map(|hedged| hedged.has_won())
}

/// The result of a request, with the number of attempts.
#[derive(Debug, PartialEq, Eq)]
struct SentResult {
    /// The status, and the number of the attempt that was answered with it.
    answer: Result<(u16, usize), &'static str>,
    /// The seconds until the answer.
    seconds: u64,
    hedged: Option<bool>,
    attempts: usize,
    cancelled: usize,
}

/// Sends a request and returns its result. Asserts that no attempt is left in flight.
async fn send<S>(service: S, handle: &ProbeHandle<&'static str>) -> SentResult
where
    S: Service<Request<Body>, Response = Response<usize>, Error = &'static str>,
{
    let begun = Instant::now();
    let result = service.oneshot(request()).await;
    assert_eq!((handle.in_flight(), handle.violations()), (0, 0));
    SentResult {
        hedged: result.as_ref().ok().and_then(hedged),
        answer: result.map(|response| (response.status().as_u16(), response.into_body())),
        seconds: (Instant::now() - begun).as_secs(),
        attempts: handle.calls(),
        cancelled: handle.cancelled(),
    }
}

/// Sends a request to a service with these replies, and returns its result.
async fn send_with<const N: usize>(replies: [Reply; N]) -> SentResult {
    let inner = self::replies(replies);
    let handle = inner.handle();
    send(HedgeLayer::new(DELAY).layer(inner), &handle).await
}
