use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio_test::{assert_pending, assert_ready, task};

use super::*;

fn poll(body: &mut ScriptedBody) -> std::task::Poll<Option<Result<Frame<Bytes>, ScriptedError>>> {
    task::spawn(()).enter(|cx, _| Pin::new(&mut *body).poll_frame(cx))
}

fn read(body: &mut ScriptedBody) -> Bytes {
    let frame = assert_ready!(poll(body)).expect("a frame");
    frame.unwrap().into_data().expect("data")
}

#[test]
fn body_satisfies_the_bounds_of_hyper() {
    fn check<T: Body<Error: std::error::Error> + Send + Sync + Unpin + 'static>(_: &T) {}
    check(&ScriptedBody::new());
}

#[test]
fn empty_script_ends_at_once() {
    let mut body = ScriptedBody::new();
    assert!(body.is_end_stream());
    assert!(assert_ready!(poll(&mut body)).is_none());
    assert!(assert_ready!(poll(&mut body)).is_none());
    assert_eq!(
        (body.handle().polls(), body.handle().polls_after_end()),
        (2, 1)
    );
}

#[tokio::test]
async fn body_yields_data_pauses_and_trailers_as_scripted() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "8".parse().unwrap());
    let body = ScriptedBody::new()
        .data("a")
        .pending()
        .data("bc")
        .trailers(trailers.clone());
    let handle = body.handle();

    let collected = body.collect().await.unwrap();

    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), "abc");
    assert_eq!((handle.data_frames(), handle.data_bytes()), (2, 3));
    assert!(handle.trailers_read() && handle.is_dropped() && !handle.dropped_early());
}

#[test]
fn scripted_pending_wakes_the_task() {
    let mut body = ScriptedBody::new().pending().data("a");
    let mut frame = task::spawn(body.frame());
    assert_pending!(frame.poll());
    assert!(frame.is_woken());
    assert!(assert_ready!(frame.poll()).is_some());
}

#[test]
fn error_ends_the_body() {
    let mut body = ScriptedBody::new().error("reset").data("never");
    let error = assert_ready!(poll(&mut body))
        .expect("a frame")
        .unwrap_err();
    assert_eq!(error.to_string(), "reset");
    assert!(body.is_end_stream());
    assert!(assert_ready!(poll(&mut body)).is_none());
}

#[test]
fn pushed_frames_keep_their_order_and_precede_the_pause() {
    let mut body = ScriptedBody::new().data("1").pause().data("4");
    let handle = body.handle();
    handle.push_data("2");
    handle.push_data("3");
    assert_eq!(
        [read(&mut body), read(&mut body), read(&mut body)],
        ["1", "2", "3"]
    );

    let mut waiting = task::spawn(());
    assert_pending!(waiting.enter(|cx, _| Pin::new(&mut body).poll_frame(cx)));
    assert!(!waiting.is_woken());
    handle.resume();
    assert!(waiting.is_woken());
    assert_eq!(read(&mut body), "4");
    assert!(body.is_end_stream());

    handle.push_error("late");
    assert!(assert_ready!(poll(&mut body)).unwrap().is_err());
}

#[test]
fn size_hint_is_unknown_exact_or_fixed() {
    let exact = |n| SizeHint::with_exact(n).exact();
    let body = ScriptedBody::new().data("abc");
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().exact()),
        (0, None)
    );

    let mut body = ScriptedBody::new().data("abc").data("de").with_exact_size();
    assert_eq!(body.size_hint().exact(), exact(5));
    read(&mut body);
    assert_eq!(body.size_hint().exact(), exact(2));

    let body = ScriptedBody::new().with_size_hint(SizeHint::with_exact(9));
    assert_eq!(body.size_hint().exact(), exact(9));
}

#[test]
fn drop_before_the_end_is_recorded() {
    let mut body = ScriptedBody::new().data("a").data("b");
    let handle = body.handle();
    read(&mut body);
    assert!(!handle.is_dropped());
    drop(body);
    assert!(handle.is_dropped() && handle.dropped_early());
}
