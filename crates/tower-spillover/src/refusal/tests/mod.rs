#[cfg(all(feature = "retry", feature = "select", feature = "throttle"))]
mod late;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use spillover_hint::{Refusal, Report};
use spillover_testing::{Probe, ScriptedBody};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};
use tower_layer::Layer;

use super::ReadRefusalLayer;
use crate::{
    coding::{Coding, tests::encode},
    peek::PeekedBody,
};

const QUOTA: &str = r#"{"error": {"message": "No credit.", "code": "insufficient_quota"}}"#;

/// The layer's answer to one of this status, encoding and body.
async fn answer(
    status: u16,
    encoding: Option<&'static str>,
    body: ScriptedBody,
) -> Response<PeekedBody<ScriptedBody>> {
    let mut body = Some(body);
    let probe = Probe::new(move |_: Request<()>| {
        let mut response = Response::new(body.take().expect("one request"));
        *response.status_mut() = status.try_into().expect("a status");
        if let Some(encoding) = encoding {
            let value = encoding.parse().expect("a value");
            response.headers_mut().insert("content-encoding", value);
        }
        async { Ok::<_, Infallible>(response) }
    });
    let service = ServiceBuilder::new()
        .layer(ReadRefusalLayer::new())
        .service(probe);
    let Ok(response) = service.oneshot(Request::new(())).await;
    response
}

fn refusal<B>(response: &Response<B>) -> Option<Refusal> {
    response.extensions().get::<Report>().map(Report::refusal)
}

async fn text<B: Body<Data = Bytes, Error: std::fmt::Debug>>(response: Response<B>) -> Bytes {
    let body = response.into_body().collect().await;
    body.expect("a whole body").to_bytes()
}

#[tokio::test(start_paused = true)]
async fn refusal_in_doubt_is_read_and_passed_on_unchanged() {
    let (start, end) = QUOTA.split_at(20);
    let body = ScriptedBody::new().data(start).pending().data(end);
    let response = answer(429, None, body).await;
    assert_eq!(refusal(&response), Some(Refusal::Quota));
    assert_eq!(response.body().size_hint().lower(), QUOTA.len() as u64);
    assert_eq!(text(response).await, QUOTA);
}

#[tokio::test(start_paused = true)]
async fn trailers_and_errors_come_where_they_came() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", "1".parse().expect("a value"));
    let body = ScriptedBody::new().data("{}").trailers(trailers.clone());
    let response = answer(429, None, body).await;
    let collected = response.into_body().collect().await.expect("a whole body");
    assert_eq!(collected.trailers(), Some(&trailers));

    let body = ScriptedBody::new().data("{").error("reset by peer");
    let mut body = answer(429, None, body).await.into_body();
    let first = body.frame().await.expect("a frame").expect("data");
    assert_eq!(first.into_data().expect("data"), "{");
    assert!(!body.is_end_stream());
    let error = body.frame().await.expect("a frame").expect_err("an error");
    assert_eq!(error.to_string(), "reset by peer");
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn encoded_body_is_decoded_for_reading_and_passed_on_encoded() {
    for (name, coding) in [
        ("GZip", Coding::Gzip),
        ("deflate", Coding::Deflate),
        ("br", Coding::Brotli),
        ("zstd", Coding::Zstd),
    ] {
        let encoded = encode(coding, &[QUOTA.as_bytes()]).concat();
        let body = ScriptedBody::new().data(encoded.clone());
        let response = answer(429, Some(name), body).await;
        assert_eq!(refusal(&response), Some(Refusal::Quota), "{name}");
        assert_eq!(text(response).await, encoded);
    }

    // Not known, two, and not what it says it is.
    for encoding in ["dcb", "gzip, br", "br", "gzip", "deflate", "zstd"] {
        let body = ScriptedBody::new().data(QUOTA);
        let response = answer(429, Some(encoding), body).await;
        assert_eq!(refusal(&response), Some(Refusal::Throttled), "{encoding}");
        assert_eq!(text(response).await, QUOTA);
    }
}

#[tokio::test(start_paused = true)]
async fn bomb_is_not_unpacked_whole() {
    let bomb = encode(Coding::Gzip, &[&vec![b' '; 80 << 20]]).concat();
    assert!(bomb.len() > 64 << 10);
    let body = ScriptedBody::new().data(bomb.clone());
    let response = answer(429, Some("gzip"), body).await;
    assert_eq!(refusal(&response), Some(Refusal::Throttled));
    assert_eq!(text(response).await.len(), bomb.len());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_is_useful_is_read_ahead() {
    let chunk = Bytes::from(vec![b' '; 16 << 10]);
    let body = (0..640).fold(ScriptedBody::new(), |body, _| body.data(chunk.clone()));
    let handle = body.handle();
    let response = answer(500, None, body).await;
    assert_eq!(handle.polls(), 0, "a 500 is settled");
    drop(response);

    let body = (0..640).fold(ScriptedBody::new(), |body, _| body.data(chunk.clone()));
    let handle = body.handle();
    let response = answer(429, None, body).await;
    assert_eq!(handle.data_bytes(), 64 << 10);
    assert_eq!(text(response).await.len(), 640 * (16 << 10));
}

#[tokio::test(start_paused = true)]
async fn body_that_does_not_come_is_not_waited_for() {
    let begun = Instant::now();
    let body = ScriptedBody::new().data("{\"error\":").pause();
    let handle = body.handle();
    let response = answer(429, None, body).await;
    assert_eq!(Instant::now() - begun, Duration::from_secs(1));
    assert_eq!(refusal(&response), Some(Refusal::Throttled));

    handle.push_data("{}}");
    handle.resume();
    assert_eq!(text(response).await, "{\"error\":{}}");
}

#[tokio::test(start_paused = true)]
async fn other_responses_than_refusals_pass_unchanged() {
    for status in [200, 204, 304] {
        let body = ScriptedBody::new().data(QUOTA);
        let handle = body.handle();
        let response = answer(status, None, body).await;
        assert!(refusal(&response).is_none());
        assert_eq!(handle.polls(), 0);
        assert_eq!(text(response).await, QUOTA);
    }
}

#[tokio::test(start_paused = true)]
async fn report_of_an_inner_layer_is_kept() {
    let report = Report::from_event("error", b"Overloaded, please wait.").expect("an error");
    let body = ScriptedBody::new().data(QUOTA);
    let handle = body.handle();
    let response = Response::builder().status(429).extension(report.clone());
    let mut response = Some(response.body(body).expect("a head"));
    let service = ReadRefusalLayer::new().layer(Probe::new(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(response.take().expect("one request")))
    }));
    let Ok(response) = service.oneshot(Request::new(())).await;
    assert_eq!(refusal(&response), Some(report.refusal()));
    assert_eq!(handle.polls(), 0);
    assert_eq!(text(response).await, QUOTA);
}

#[tokio::test(start_paused = true)]
async fn client_that_goes_away_drops_the_body() {
    let body = ScriptedBody::new().pause();
    let handle = body.handle();
    let reading = tokio::spawn(answer(429, None, body));
    tokio::task::yield_now().await;
    reading.abort();
    assert!(reading.await.expect_err("it was aborted").is_cancelled());
    assert!(handle.is_dropped());
}
