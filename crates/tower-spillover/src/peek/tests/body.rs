use spillover_testing::body::BodyHandle;

use super::{super::body::Prefix, *};

/// Reads this number of frames into a prefix, and returns the body that yields them again.
async fn with_prefix(mut body: ScriptedBody, frames: usize) -> PeekedBody<ScriptedBody> {
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
async fn prefix_comes_before_the_rest_of_the_body() {
    for ahead in 0..6 {
        let (body, handle) = script();
        let body = with_prefix(body, ahead).await;
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
async fn size_hint_of_a_peeked_body_shrinks_with_each_frame() {
    let (body, _) = script();
    let mut body = with_prefix(body, 2).await;
    for left in [9, 5, 0] {
        body.frame().await.expect("a frame").expect("data");
        assert_eq!(body.size_hint().exact(), Some(left));
    }
}

#[tokio::test]
async fn error_in_the_prefix_is_returned_after_its_data() {
    let body = ScriptedBody::new().data("one").error("reset by peer");
    let mut body = with_prefix(body, 9).await;
    assert!(body.frame().await.expect("a frame").is_ok());
    assert!(!body.is_end_stream());
    let error = body.frame().await.expect("a frame").expect_err("an error");
    assert_eq!(error.to_string(), "reset by peer");
    assert!(body.is_end_stream() && body.frame().await.is_none());
}

#[tokio::test]
async fn replacement_body_has_its_own_length() {
    let body = PeekedBody::<ScriptedBody>::from(Bytes::from("other"));
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.expect("a body").to_bytes(), "other");

    let mut body = PeekedBody::<ScriptedBody>::from(Bytes::new());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.is_end_stream() && body.frame().await.is_none());
}
