use std::error::Error as _;

use super::*;

#[tokio::test]
async fn reset_behavior_resets_the_connection() {
    let upstream = upstream().await;
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        upstream.handle().push(Behavior::reset());
        let error = caller.send("/", "").await.unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        assert_eq!(caller.post("/v1/chat/completions", "").await.status, 400);
    }
    let stats = upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert_eq!(stats.cancelled, 0);
}

#[tokio::test]
async fn cut_head_closes_the_connection_within_the_head() {
    let upstream = upstream().await;
    upstream.handle().push(Behavior::cut_head());
    let error = Caller::new(&upstream).send("/", "").await.unwrap_err();
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<hyper::Error>());
    assert!(cause.unwrap().is_incomplete_message(), "{error:?}");
}

#[tokio::test]
async fn reset_mid_body_resets_after_the_given_bytes() {
    let upstream = upstream().await;
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        for bytes in [0, 1, 20_000] {
            upstream.handle().push(Behavior::reset_mid_body(bytes));
            let mut response = caller.send("/", "").await.unwrap();
            assert_eq!(response.status(), 200);
            let mut seen = 0;
            let error = loop {
                match response.frame().await.expect("no regular end") {
                    Ok(frame) => seen += frame.into_data().unwrap().len(),
                    Err(error) => break error,
                }
            };
            assert!(is_reset(&error), "{error:?}");
            assert_eq!(seen, bytes);
        }
    }
    let stats = upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert_eq!(stats.cancelled, 0);
}

/// Compares the debug output, since h2 does not return the I/O error as a source.
fn is_reset(error: &dyn std::error::Error) -> bool {
    format!("{error:?}").contains("ConnectionReset")
}
