//! The body of a request that a layer inside sends a second time while the first attempt is under way.

use http_body_util::{Empty, Full};
use spillover_core::{Attempts, layer::AttemptsProtocol};
use tokio_test::assert_pending;

use super::*;

fn noting<B: Body>(body: B, limits: ReplayLimits) -> (ReplayBody<B>, Attempts) {
    let attempts = Attempts::new();
    let body = ReplayBody::with_attempts(body, limits, Some(attempts.clone()));
    (body, attempts)
}

#[test]
fn clone_that_was_kept_takes_over_from_a_hedge_that_was_made_later() {
    let script = ScriptedBody::new().data("one").data("two");
    let mut first = replay(script.trailers(trailers()));
    let mut kept = first.clone();
    let sent = read_all(&mut first);
    let mut hedge = first.clone();
    assert_eq!(read(&mut hedge), "one");
    assert!(!kept.is_replayable());

    // Both are refused, and the connection of the hedge goes on polling.
    assert!(kept.take_over());
    assert!(kept.is_replayable() && !hedge.is_replayable());
    assert!(read_error(&mut hedge).is_superseded());
    let mut next = kept.clone();
    assert_eq!(read(&mut kept), "one");
    assert!(assert_ready!(poll(&mut first)).is_none());
    assert!(assert_ready!(poll(&mut hedge)).is_none());
    assert_eq!(read(&mut kept), "two");
    assert_eq!(read_all(&mut kept), (vec![], sent.1.clone()));
    assert!(next.take_over());
    assert_eq!(read_all(&mut next), sent);
}

#[test]
fn hedge_that_was_kept_back_cannot_read_after_the_retry_has_begun() {
    let source = ScriptedBody::new().data("one").pause();
    let handle = source.handle();
    let mut first = replay(source);
    let mut kept = first.clone();
    let mut hedge = first.clone();
    read(&mut first);

    assert!(kept.take_over());
    assert!(read_error(&mut hedge).is_superseded());
    assert!(read_error(&mut first).is_superseded());
    handle.push_data("two");
    handle.resume();
    assert_eq!(read_all(&mut kept).0, ["one", "two"]);
}

#[test]
fn one_that_is_waited_for_is_woken_when_another_takes_over() {
    let mut first = task::spawn(replay(ScriptedBody::new().pause()));
    let mut kept = ReplayBody::clone(&first);
    let _hedge = ReplayBody::clone(&first);
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert!(kept.take_over());
    assert!(first.is_woken());
}

#[test]
fn second_request_does_not_inherit_the_wait_of_the_first() {
    let (mut first, attempts) = noting(ScriptedBody::new().pause(), ReplayLimits::default());
    let mut kept = first.clone();
    assert_pending!(poll(&mut first));
    assert!(attempts.is_awaiting_body());

    // The backend may not even be connected: that is no fault of the client.
    assert!(kept.take_over());
    assert!(!attempts.is_awaiting_body());
    assert!(read_error(&mut first).is_superseded());
    assert_pending!(poll(&mut kept));
    assert!(attempts.is_awaiting_body());
}

#[test]
fn attempt_that_has_sent_the_body_is_not_disturbed() {
    // Says whether the body tells at its last frame that it is the last, or not before it is asked for another.
    for is_told in [true, false] {
        let source = ScriptedBody::new().data("one").data("two");
        let source = if is_told { source } else { source.pause() };
        let handle = source.handle();
        let mut first = replay(source);
        let mut hedge = first.clone();
        assert_eq!([read(&mut first), read(&mut first)], ["one", "two"]);
        assert_eq!(first.is_end_stream(), is_told);
        if !is_told {
            handle.resume();
            assert!(assert_ready!(poll(&mut first)).is_none());
        }
        assert_eq!(read_all(&mut hedge).0, ["one", "two"]);
        assert!(assert_ready!(poll(&mut first)).is_none());
    }
}

#[test]
fn body_is_held_until_it_was_read_to_its_end() {
    let source = ScriptedBody::new().data("one").pause();
    let handle = source.handle();
    let (mut first, attempts) = noting(source, ReplayLimits::default());
    let _kept = first.clone();
    assert!(attempts.is_body_held());
    read(&mut first);
    assert!(attempts.is_body_held());
    assert_pending!(poll(&mut first));
    assert!(attempts.is_body_held());

    handle.push_data("two");
    handle.resume();
    read(&mut first);
    read_all(&mut first);
    assert!(!attempts.is_body_held());
}

#[test]
fn last_frame_ends_the_hold() {
    let with_trailers = ScriptedBody::new().data("one").trailers(trailers());
    let (mut first, attempts) = noting(with_trailers, ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    assert!(attempts.is_body_held());
    read_all(&mut first);
    assert!(!attempts.is_body_held());

    // The frame is not followed by a poll, because the body itself says that it is the last.
    let (mut first, attempts) = noting(Full::new(Bytes::from("one")), ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    assert!(!attempts.is_body_held());
}

#[test]
fn empty_body_is_never_held() {
    let (mut body, attempts) = noting(Empty::<Bytes>::new(), ReplayLimits::default());
    assert!(!attempts.is_body_held());
    assert!(body.take_over());
    assert!(!attempts.is_body_held());
}

#[test]
fn each_attempt_holds_the_body_anew() {
    let (mut first, attempts) = noting(ScriptedBody::new().data("one"), ReplayLimits::default());
    let mut kept = first.clone();
    read_all(&mut first);
    assert!(!attempts.is_body_held());

    assert!(kept.take_over());
    assert!(attempts.is_body_held());
    // A late connection changes nothing.
    assert!(assert_ready!(poll(&mut first)).is_none());
    assert!(attempts.is_body_held());
    read_all(&mut kept);
    assert!(!attempts.is_body_held());
}

#[test]
fn body_that_was_not_kept_is_held_for_good() {
    let limits = ReplayLimits::default().per_request(1);
    for exact in [false, true] {
        let script = ScriptedBody::new().data("one");
        let script = if exact {
            script.with_exact_size()
        } else {
            script
        };
        let (mut first, attempts) = noting(script, limits.clone());
        let _kept = first.clone();
        read_all(&mut first);
        assert!(attempts.is_body_held());
    }
}

#[test]
fn body_that_broke_is_held() {
    let script = ScriptedBody::new().data("one").error("client went away");
    let (mut first, attempts) = noting(script, ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    read_error(&mut first);
    assert!(attempts.is_body_held());
}
