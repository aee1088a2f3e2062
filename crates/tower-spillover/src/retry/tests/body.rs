use std::collections::VecDeque;

use bytes::Buf;
use http_body::SizeHint;
use http_body_util::{BodyExt, Empty, Full};
use spillover_core::Attempts;
use tokio_test::assert_pending;

use super::*;

fn exact<B: Body>(body: &B) -> Option<u64> {
    body.size_hint().exact()
}

#[test]
fn first_attempt_streams_the_body_without_delay() {
    let source = ScriptedBody::new().data("one").pause();
    let handle = source.handle();
    let mut first = replay(source);
    let _kept = first.clone();

    assert_eq!(read(&mut first), "one");
    let mut waiting = task::spawn(first);
    assert_pending!(waiting.enter(|cx, body| body.poll_frame(cx)));

    handle.push_data("two");
    assert!(waiting.is_woken());
    let frame = assert_ready!(waiting.enter(|cx, body| body.poll_frame(cx)));
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "two");
    assert_eq!(handle.data_frames(), 2);
}

#[test]
fn every_clone_reads_the_same_frames_and_trailers() {
    let source = ScriptedBody::new()
        .data("one")
        .data("")
        .data("two")
        .trailers(trailers());
    let mut first = replay(source);
    let mut second = first.clone();
    let mut third = second.clone();

    let sent = read_all(&mut first);
    assert_eq!(
        sent,
        (
            vec!["one".into(), "".into(), "two".into()],
            Some(trailers())
        )
    );
    assert_eq!(read_all(&mut second), sent);
    assert_eq!(read_all(&mut third), sent);
}

#[test]
fn clone_of_a_partly_read_body_starts_at_the_beginning() {
    let mut first = replay(ScriptedBody::new().data("one").data("two"));
    let kept = first.clone();
    read(&mut first);
    assert_eq!(read_all(&mut first.clone()).0, ["one", "two"]);
    drop(kept);
}

#[test]
fn data_in_a_buffer_of_several_parts_is_sent_whole() {
    let in_two_parts = |chunk: Bytes| VecDeque::from(chunk.to_vec()).chain(&b"!"[..]);
    let source = Full::new(Bytes::from("one")).map_frame(move |frame| frame.map_data(in_two_parts));
    let mut first = ReplayBody::new(source, ReplayLimits::default());
    let mut second = first.clone();
    assert_eq!(read(&mut first), "one!");
    assert_eq!(read(&mut second), "one!");
}

#[test]
fn exact_size_hint_is_that_of_the_rest_at_every_point() {
    let source = ScriptedBody::new()
        .data("one")
        .data("fourth")
        .with_exact_size();
    let mut first = replay(source);
    let mut second = first.clone();

    assert_eq!((exact(&first), exact(&second)), (Some(9), Some(9)));
    read(&mut first);
    assert_eq!((exact(&first), exact(&second)), (Some(6), Some(9)));

    read(&mut second);
    assert_eq!(exact(&second), Some(6));
    read(&mut second);
    assert_eq!(exact(&second), Some(0));
    assert!(assert_ready!(poll(&mut second)).is_none());
    assert_eq!((exact(&second), exact(&second.clone())), (Some(0), Some(9)));
}

#[test]
fn size_hint_bounds_are_those_of_the_rest() {
    let mut hint = SizeHint::new();
    hint.set_lower(2);
    hint.set_upper(8);
    let mut first = replay(ScriptedBody::new().data("one").with_size_hint(hint));
    let second = first.clone();
    read(&mut first);

    let bounds = |body: &ReplayBody<_>| (body.size_hint().lower(), body.size_hint().upper());
    assert_eq!(bounds(&first), (2, Some(8)));
    assert_eq!(bounds(&second), (5, Some(11)));
}

#[test]
fn size_hint_without_upper_bound_stays_without_one() {
    let mut first = replay(ScriptedBody::new().data("one").data("two"));
    let second = first.clone();
    read(&mut first);
    assert_eq!(
        (second.size_hint().lower(), second.size_hint().upper()),
        (3, None)
    );

    let endless = SizeHint::with_exact(u64::MAX);
    let mut first = replay(ScriptedBody::new().data("one").with_size_hint(endless));
    let second = first.clone();
    read(&mut first);
    assert_eq!(exact(&second), Some(u64::MAX));
}

#[test]
fn empty_body_is_at_its_end_at_once() {
    let mut empty = ReplayBody::new(Empty::<Bytes>::new(), ReplayLimits::default());
    let mut clone = empty.clone();
    for body in [&mut empty, &mut clone] {
        assert!(body.is_end_stream());
        assert_eq!(exact(body), Some(0));
        assert!(assert_ready!(poll(body)).is_none());
        assert!(body.is_end_stream());
    }
}

#[test]
fn body_is_at_its_end_after_the_last_frame() {
    let mut first = replay(ScriptedBody::new().data("one").data("two"));
    let mut second = first.clone();
    for body in [&mut first, &mut second] {
        assert!(!body.is_end_stream());
        read(body);
        assert!(!body.is_end_stream());
        read(body);
        // A body with `content-length` has to report its end before the end is polled.
        assert!(body.is_end_stream());
    }
}

#[test]
fn body_with_trailers_is_at_its_end_after_the_trailers() {
    let mut first = replay(ScriptedBody::new().data("one").trailers(trailers()));
    let mut second = first.clone();
    for body in [&mut first, &mut second] {
        read(body);
        assert!(!body.is_end_stream());
        assert_eq!(read_all(body), (vec![], Some(trailers())));
        assert!(body.is_end_stream());
    }
}

#[test]
fn polls_after_the_end_do_not_reach_the_source() {
    let source = ScriptedBody::new().data("one");
    let handle = source.handle();
    let mut first = replay(source);
    let mut second = first.clone();
    read_all(&mut first);
    read_all(&mut second);
    for mut body in [first, second] {
        assert!(assert_ready!(poll(&mut body)).is_none());
        assert_eq!(read_all(&mut body.clone()).0, ["one"]);
    }
    assert_eq!(handle.polls_after_end(), 0);
    assert!(handle.is_dropped());
}

#[test]
fn error_of_the_source_ends_every_attempt() {
    let attempts = Attempts::new();
    let source = ScriptedBody::new().data("one").error("client went away");
    let mut first =
        ReplayBody::with_attempts(source, ReplayLimits::default(), Some(attempts.clone()));
    let mut second = first.clone();

    read(&mut first);
    assert!(second.is_replayable() && !attempts.is_request_failed());
    let error = read_error(&mut first);
    assert!(error.is_source() && !error.is_superseded());
    let source = std::error::Error::source(&error).expect("a source");
    assert_eq!(source.to_string(), "client went away");
    assert!(attempts.is_request_failed());
    assert!(assert_ready!(poll(&mut first)).is_none());

    assert!(!second.is_replayable());
    assert_eq!(read(&mut second), "one");
    assert!(!second.is_end_stream());
    let error = read_error(&mut second);
    assert!(!error.is_source() && !error.is_superseded());
    assert!(assert_ready!(poll(&mut second)).is_none());
}

#[test]
fn panic_of_the_source_does_not_poison_the_recording() {
    let mut is_first = true;
    let source = Full::new(Bytes::from("one")).map_frame(move |frame| {
        assert!(!std::mem::take(&mut is_first), "the source panics once");
        frame
    });
    let mut first = ReplayBody::new(source, ReplayLimits::default());
    let second = first.clone();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut first)));
    assert!(panic.is_err());
    assert!(second.is_replayable());
    drop((first, second));
}

#[test]
fn replay_body_satisfies_the_bounds_of_http_clients() {
    fn check<T: Body<Error: std::error::Error + Send + Sync> + Send + Sync + Unpin + 'static>(
        _: &T,
    ) {
    }
    check(&replay(ScriptedBody::new()));
    // The body of axum is not `Sync`.
    let not_sync = ScriptedBody::new().boxed_unsync();
    check(&ReplayBody::new(not_sync, ReplayLimits::default()));
}

#[test]
fn unknown_size_stays_unknown_after_the_body_was_read() {
    let mut first = replay(ScriptedBody::new().data("one").trailers(HeaderMap::new()));
    let second = first.clone();
    read_all(&mut first);
    assert_eq!(exact(&second), None);
    assert_eq!(second.size_hint().lower(), 3);
}
