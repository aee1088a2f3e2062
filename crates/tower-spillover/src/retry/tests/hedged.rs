//! The body of a request that an inner layer hedges: a second attempt is sent while the first is in flight.

use http_body_util::{Empty, Full};
use spillover_core::{Attempts, layer::AttemptsProtocol};
use tokio_test::assert_pending;

use super::*;

fn with_attempts<B: Body>(body: B, limits: ReplayLimits) -> (ReplayBody<B>, Attempts) {
    let attempts = Attempts::new();
    let body = ReplayBody::with_attempts(body, limits, Some(attempts.clone()));
    (body, attempts)
}

#[test]
fn saved_clone_takes_over_from_a_later_hedge() {
    let script = ScriptedBody::new().data("one").data("two");
    let mut first = replay(script.trailers(trailers()));
    let mut kept = first.clone();
    let sent = read_all(&mut first);
    let mut hedge = first.clone();
    assert_eq!(read(&mut hedge), "one");
    assert!(!kept.is_replayable());

    // Both attempts are refused, and the connection of the hedge continues to poll its body.
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
fn hedge_that_was_not_sent_cannot_read_after_the_retry_has_begun() {
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
fn waiting_reader_is_woken_when_another_clone_takes_over() {
    let mut first = task::spawn(replay(ScriptedBody::new().pause()));
    let mut kept = ReplayBody::clone(&first);
    let _hedge = ReplayBody::clone(&first);
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert!(kept.take_over());
    assert!(first.is_woken());
}

#[test]
fn clone_that_takes_over_is_not_awaiting_the_body_before_its_first_poll() {
    let (mut first, attempts) = with_attempts(ScriptedBody::new().pause(), ReplayLimits::default());
    let mut kept = first.clone();
    assert_pending!(poll(&mut first));
    assert!(attempts.is_awaiting_body());

    // The next backend may not be connected yet: the client does not delay the request.
    assert!(kept.take_over());
    assert!(!attempts.is_awaiting_body());
    assert!(read_error(&mut first).is_superseded());
    assert_pending!(poll(&mut kept));
    assert!(attempts.is_awaiting_body());
}

#[test]
fn attempt_that_has_sent_the_body_is_not_superseded() {
    // The body reports its end with the last frame, or only when it is polled for another frame.
    for is_end_known in [true, false] {
        let source = ScriptedBody::new().data("one").data("two");
        let source = if is_end_known { source } else { source.pause() };
        let handle = source.handle();
        let mut first = replay(source);
        let mut hedge = first.clone();
        assert_eq!([read(&mut first), read(&mut first)], ["one", "two"]);
        assert_eq!(first.is_end_stream(), is_end_known);
        if !is_end_known {
            handle.resume();
            assert!(assert_ready!(poll(&mut first)).is_none());
        }
        assert_eq!(read_all(&mut hedge).0, ["one", "two"]);
        assert!(assert_ready!(poll(&mut first)).is_none());
    }
}

#[test]
fn body_is_held_until_it_is_read_to_its_end() {
    let source = ScriptedBody::new().data("one").pause();
    let handle = source.handle();
    let (mut first, attempts) = with_attempts(source, ReplayLimits::default());
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
fn body_is_released_with_its_last_frame() {
    let with_trailers = ScriptedBody::new().data("one").trailers(trailers());
    let (mut first, attempts) = with_attempts(with_trailers, ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    assert!(attempts.is_body_held());
    read_all(&mut first);
    assert!(!attempts.is_body_held());

    // The body reports its end with the last frame, so that no poll follows.
    let (mut first, attempts) =
        with_attempts(Full::new(Bytes::from("one")), ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    assert!(!attempts.is_body_held());
}

#[test]
fn empty_body_is_never_held() {
    let (mut body, attempts) = with_attempts(Empty::<Bytes>::new(), ReplayLimits::default());
    assert!(!attempts.is_body_held());
    assert!(body.take_over());
    assert!(!attempts.is_body_held());
}

#[test]
fn body_is_held_again_by_each_attempt() {
    let (mut first, attempts) =
        with_attempts(ScriptedBody::new().data("one"), ReplayLimits::default());
    let mut kept = first.clone();
    read_all(&mut first);
    assert!(!attempts.is_body_held());

    assert!(kept.take_over());
    assert!(attempts.is_body_held());
    // A poll of the earlier attempt does not release the body.
    assert!(assert_ready!(poll(&mut first)).is_none());
    assert!(attempts.is_body_held());
    read_all(&mut kept);
    assert!(!attempts.is_body_held());
}

#[test]
fn body_that_is_not_recorded_stays_held() {
    let limits = ReplayLimits::default().per_request(1);
    for exact in [false, true] {
        let script = ScriptedBody::new().data("one");
        let script = if exact {
            script.with_exact_size()
        } else {
            script
        };
        let (mut first, attempts) = with_attempts(script, limits.clone());
        let _kept = first.clone();
        read_all(&mut first);
        assert!(attempts.is_body_held());
    }
}

#[test]
fn body_that_failed_stays_held() {
    let script = ScriptedBody::new().data("one").error("client went away");
    let (mut first, attempts) = with_attempts(script, ReplayLimits::default());
    let _kept = first.clone();
    read(&mut first);
    read_error(&mut first);
    assert!(attempts.is_body_held());
}
