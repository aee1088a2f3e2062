use std::{
    convert::Infallible,
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use spillover_core::{Backend, BackendSnapshot, Pool, Query, Scope};
use spillover_testing::{Probe, ScriptedBody};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::body::GuardedBody;

type Answer = Response<GuardedBody<ScriptedBody, Attempt>>;

fn pool() -> Pool {
    let backend = Backend::builder("a").url("http://a.example");
    Pool::new([backend.build().unwrap()]).unwrap()
}

fn snapshot(pool: &Pool) -> BackendSnapshot {
    pool.snapshot(Scope::BACKEND, Instant::now()).remove(0)
}

fn in_flight(pool: &Pool) -> u32 {
    snapshot(pool).in_flight()
}

/// Creates a request for the backend as `PrioritySelect` does.
fn request(pool: &Pool) -> Request<()> {
    let mut request = Request::new(());
    let selected = pool
        .select(&Query::new(), Instant::now(), 0)
        .expect("it is open");
    request.extensions_mut().insert(selected);
    request
}

/// Returns the response of the layer to a response with this body and the extensions of the request.
async fn answer(pool: &Pool, body: ScriptedBody) -> Answer {
    let request = request(pool);
    let mut response = Response::new(body);
    *response.extensions_mut() = request.extensions().clone();
    let mut response = Some(response);
    let probe = Probe::new(move |_: Request<()>| {
        let response = response.take().expect("one request");
        async { Ok::<_, Infallible>(response) }
    });
    let Ok(answer) = ThrottleTrackerLayer::new()
        .layer(probe)
        .oneshot(request)
        .await;
    answer
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers
}

#[tokio::test(start_paused = true)]
async fn request_is_in_flight_until_the_response_body_ends() {
    let pool = pool();
    let body = ScriptedBody::new().data("one").pause().data("two");
    let handle = body.handle();
    let (head, mut body) = answer(&pool, body).await.into_parts();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    assert_eq!(in_flight(&pool), 1);

    handle.resume();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "two"
    );
    // The body reports its end, so that it is not polled again.
    assert!(body.is_end_stream());
    assert_eq!(in_flight(&pool), 0);
    assert!(body.frame().await.is_none());
    assert_eq!((in_flight(&pool), snapshot(&pool).counts().broken), (0, 0));
    drop((head, body));
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test(start_paused = true)]
async fn trailers_end_the_request_in_flight_and_pass() {
    let pool = pool();
    // Trailers are the last frame, even if the body does not report its end.
    let body = ScriptedBody::new().data("one").trailers(trailers()).pause();
    let (head, mut body) = answer(&pool, body).await.into_parts();
    body.frame().await.unwrap().unwrap();
    assert_eq!(in_flight(&pool), 1);
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap(), trailers());
    assert_eq!(in_flight(&pool), 0);
    drop(head);
}

#[tokio::test(start_paused = true)]
async fn failed_body_is_counted_as_broken_and_ends_the_request_in_flight() {
    let pool = pool();
    let body = ScriptedBody::new().data("one").error("reset by peer");
    let (head, mut body) = answer(&pool, body).await.into_parts();
    body.frame().await.unwrap().unwrap();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "reset by peer");
    assert_eq!((in_flight(&pool), snapshot(&pool).counts().broken), (0, 1));
    assert!(body.frame().await.is_none());
    assert_eq!(snapshot(&pool).counts().broken, 1);
    drop(head);
}

#[tokio::test(start_paused = true)]
async fn dropped_body_ends_the_request_in_flight_and_is_not_broken() {
    let pool = pool();
    let body = ScriptedBody::new().data("one").pause();
    let (head, mut body) = answer(&pool, body).await.into_parts();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!((in_flight(&pool), snapshot(&pool).counts().broken), (0, 0));
    drop(head);
}

#[tokio::test(start_paused = true)]
async fn empty_body_ends_the_request_in_flight_at_once() {
    let pool = pool();
    let answer = answer(&pool, ScriptedBody::new()).await;
    assert_eq!(in_flight(&pool), 0);
    assert!(answer.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn request_without_a_selected_backend_passes() {
    let probe = Probe::new(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(
            ScriptedBody::new().data("one").error("reset"),
        ))
    });
    let service = ThrottleTrackerLayer::new().layer(probe);
    let Ok(answer) = service.oneshot(Request::new(())).await;
    let mut body = answer.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn failed_or_dropped_request_is_not_in_flight() {
    let pool = pool();
    let probe: Probe<(), ScriptedBody, _> = Probe::new(|_| async { Err("connection refused") });
    let request = request(&pool);
    let kept = request.extensions().clone();
    let mut failed = task::spawn(ThrottleTrackerLayer::new().layer(probe).oneshot(request));
    let error = assert_ready!(failed.poll()).unwrap_err();
    assert_eq!((error, in_flight(&pool)), ("connection refused", 0));
    drop((failed, kept));

    let probe: Probe<(), ScriptedBody, &str> = Probe::new(|_| std::future::pending());
    let mut service = ThrottleTrackerLayer::new().layer(probe);
    assert_ready_ok!(task::spawn(()).enter(|cx, _| service.poll_ready(cx)));
    let request = self::request(&pool);
    let kept = request.extensions().clone();
    let mut dropped = task::spawn(service.call(request));
    assert_pending!(dropped.poll());
    assert_eq!(in_flight(&pool), 1);
    drop(dropped);
    assert_eq!(in_flight(&pool), 0);
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn size_hint_of_the_body_passes() {
    let pool = pool();
    let body = ScriptedBody::new().data("four").with_exact_size();
    let answer = answer(&pool, body).await;
    assert_eq!(answer.body().size_hint().exact(), Some(4));
}

#[tokio::test]
async fn default_body_is_empty() {
    let mut body = GuardedBody::<ScriptedBody, Attempt>::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

/// A body that must not be moved.
#[derive(Default)]
struct Pinned {
    _pinned: PhantomPinned,
}

impl Body for Pinned {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

#[tokio::test(start_paused = true)]
async fn body_that_is_not_unpin_can_be_used() {
    let pool = pool();
    let probe = Probe::new(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Pinned::default()))
    });
    let service = ThrottleTrackerLayer::new().layer(probe);
    let Ok(answer) = service.oneshot(request(&pool)).await;
    assert_eq!(in_flight(&pool), 1);
    let mut body = Box::pin(answer.into_body());
    assert!(body.frame().await.is_none());
    assert_eq!(in_flight(&pool), 0);
}

#[test]
fn inner_service_is_accessible() {
    let mut service = ThrottleTrackerLayer::new().layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}
