use spillover_testing::body::BodyHandle;

use super::{super::body::Prefix, *};

/// So many frames are read ahead.
async fn read_ahead(mut body: ScriptedBody, frames: usize) -> PeekedBody<ScriptedBody> {
    let mut read = Prefix::new();
    for _ in 0..frames {
        if !read.push(body.frame().await) {
            break;
        }
    }
    PeekedBody::resumed(read, body, None)
}

fn script() -> (ScriptedBody, BodyHandle) {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", "1".parse().expect("a value"));
    let body = ScriptedBody::new().data("one ").data("two ").data("three");
    let body = body.trailers(trailers).with_exact_size();
    let handle = body.handle();
    (body, handle)
}

#[tokio::test]
async fn bytes_that_were_read_come_before_the_rest() {
    for ahead in 0..6 {
        let (body, handle) = script();
        let body = read_ahead(body, ahead).await;
        assert_eq!(handle.polls(), ahead.min(5));
        assert_eq!(body.size_hint().exact(), Some(13));
        assert!(!body.is_end_stream());
        let collected = body.collect().await.expect("a whole body");
        assert_eq!(collected.trailers().expect("trailers")["x-end"], "1");
        assert_eq!(collected.to_bytes(), "one two three");
        assert_eq!(handle.polls_after_end(), 0);
    }
}

#[tokio::test]
async fn size_hint_shrinks_as_the_body_is_read() {
    let (body, _) = script();
    let mut body = read_ahead(body, 2).await;
    for left in [9, 5, 0] {
        body.frame().await.expect("a frame").expect("data");
        assert_eq!(body.size_hint().exact(), Some(left));
    }
}

#[tokio::test]
async fn error_that_was_read_comes_in_its_place() {
    let body = ScriptedBody::new().data("one").error("reset by peer");
    let mut body = read_ahead(body, 9).await;
    assert!(body.frame().await.expect("a frame").is_ok());
    assert!(!body.is_end_stream());
    let error = body.frame().await.expect("a frame").expect_err("an error");
    assert_eq!(error.to_string(), "reset by peer");
    assert!(body.is_end_stream() && body.frame().await.is_none());
}

#[tokio::test]
async fn replaced_body_has_its_own_length() {
    let body = PeekedBody::<ScriptedBody>::from(Bytes::from("other"));
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.expect("a body").to_bytes(), "other");

    let mut body = PeekedBody::<ScriptedBody>::from(Bytes::new());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.is_end_stream() && body.frame().await.is_none());
}
