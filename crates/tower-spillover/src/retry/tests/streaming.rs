//! Attempts that overlap: an earlier attempt gets an error, and the latest one sends the whole body.

use tokio_test::assert_pending;

use super::*;

#[test]
fn retry_sends_the_body_after_an_answer_before_its_end() {
    let source = ScriptedBody::new().pause();
    let handle = source.handle();
    let mut first = replay(source);
    let mut second = first.clone();
    assert_pending!(poll(&mut first));

    // The server refuses early. The connection still holds the body of the first attempt, and continues to poll it.
    assert!(second.is_replayable());
    handle.push_data("one");
    handle.push_data("two");
    assert_eq!(read(&mut second), "one");
    assert!(read_error(&mut first).is_superseded());
    assert_eq!(read(&mut second), "two");
    assert!(assert_ready!(poll(&mut first)).is_none());
}

#[test]
fn retry_sends_a_partly_sent_body_whole() {
    let source = ScriptedBody::new()
        .data("one")
        .data("two")
        .pause()
        .trailers(trailers());
    let handle = source.handle();
    let mut first = replay(source);
    let mut second = first.clone();
    assert_eq!(read(&mut first), "one");
    drop(first);

    assert_eq!([read(&mut second), read(&mut second)], ["one", "two"]);
    assert_pending!(poll(&mut second));
    handle.push_data("three");
    handle.resume();
    assert_eq!(
        read_all(&mut second),
        (vec!["three".into()], Some(trailers()))
    );
    assert_eq!(handle.data_frames(), 3);
}

#[test]
fn reading_a_clone_supersedes_the_earlier_reader() {
    let source = ScriptedBody::new().data("one").pause();
    let handle = source.handle();
    let mut first = replay(source);
    let mut second = first.clone();
    read(&mut first);
    let mut first = task::spawn(first);
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert!(!first.is_woken());

    assert_eq!(read(&mut second), "one");
    assert!(first.is_woken());
    assert!(!first.is_replayable());
    let frame = assert_ready!(first.enter(|cx, body| body.poll_frame(cx)));
    assert!(frame.expect("a frame").unwrap_err().is_superseded());
    assert!(assert_ready!(first.enter(|cx, body| body.poll_frame(cx))).is_none());

    handle.push_data("two");
    handle.resume();
    assert_eq!(read_all(&mut second).0, ["two"]);
}

#[test]
fn clone_that_takes_over_is_woken_for_new_data() {
    let source = ScriptedBody::new().pause();
    let handle = source.handle();
    let mut first = task::spawn(replay(source));
    let mut second = task::spawn(ReplayBody::clone(&first));
    assert_pending!(first.enter(|cx, body| body.poll_frame(cx)));
    assert_pending!(second.enter(|cx, body| body.poll_frame(cx)));

    handle.push_data("one");
    assert!(second.is_woken());
    let frame = assert_ready!(second.enter(|cx, body| body.poll_frame(cx)));
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "one");
}

#[test]
fn retry_sends_the_body_if_the_first_attempt_read_nothing() {
    let source = ScriptedBody::new()
        .data("one")
        .data("two")
        .trailers(trailers());
    let handle = source.handle();
    let mut first = replay(source);
    let mut second = first.clone();

    let expected = (vec!["one".into(), "two".into()], Some(trailers()));
    assert_eq!(read_all(&mut second), expected);
    assert_eq!(handle.data_frames(), 2);
    assert!(!first.is_replayable());
    assert!(read_error(&mut first).is_superseded());
}

#[test]
fn retry_sends_the_body_whole_after_any_number_of_frames() {
    let frames = ["a", "bc", "", "def"];
    for sent in 0..=frames.len() {
        let script = frames
            .iter()
            .fold(ScriptedBody::new(), |body, frame| body.data(*frame));
        let mut first = replay(script);
        let kept = first.clone();
        for expected in &frames[..sent] {
            assert_eq!(read(&mut first), *expected);
        }
        assert_eq!(
            read_all(&mut kept.clone()).0,
            frames,
            "{sent} frames were sent"
        );
    }
}
