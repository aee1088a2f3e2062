//! Tests of `ReplayBody` polled by hand, and of the service over an inner service that marks `Attempts` as
//! `PrioritySelect` does.

mod best;
mod body;
mod bounds;
mod hedged;
mod inner;
mod limits;
mod policy;
mod properties;
mod resend;
mod service;
mod streaming;

use std::{pin::Pin, task::Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use spillover_testing::ScriptedBody;
use tokio_test::{assert_ready, task};
use tower::BoxError;

use super::*;

fn replay(body: ScriptedBody) -> ReplayBody<ScriptedBody> {
    ReplayBody::new(body, ReplayLimits::default())
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "8".parse().unwrap());
    trailers
}

fn poll<B>(body: &mut ReplayBody<B>) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    task::spawn(()).enter(|cx, _| Pin::new(body).poll_frame(cx))
}

/// Returns the next frame, which has to be ready data.
fn read<B>(body: &mut ReplayBody<B>) -> Bytes
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    let frame = assert_ready!(poll(body)).expect("a frame");
    frame.unwrap().into_data().expect("data")
}

/// Returns the next error, which has to be ready.
fn read_error<B>(body: &mut ReplayBody<B>) -> ReplayError
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    assert_ready!(poll(body)).expect("a frame").unwrap_err()
}

/// Returns all data frames and the trailers up to the end, which have to be ready.
fn read_all<B>(body: &mut ReplayBody<B>) -> (Vec<Bytes>, Option<HeaderMap>)
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    let mut chunks = Vec::new();
    while let Some(frame) = assert_ready!(poll(body)) {
        match frame.unwrap().into_data() {
            Ok(chunk) => chunks.push(chunk),
            Err(frame) => return (chunks, frame.into_trailers().ok()),
        }
    }
    (chunks, None)
}

/// Returns true if this part of the total budget is free.
fn is_free(limits: &ReplayLimits, bytes: usize) -> bool {
    let limits = limits.clone().per_request(usize::MAX);
    let is_free = limits.reserve(0, bytes);
    if is_free {
        limits.release(bytes);
    }
    is_free
}
