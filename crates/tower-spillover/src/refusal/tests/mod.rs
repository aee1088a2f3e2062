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

/// Returns the response of the layer to a response with this status, coding and body.
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
async fn ambiguous_refusal_is_read_and_passed_on_unchanged() {
    let (start, end) = QUOTA.split_at(20);
    let body = ScriptedBody::new().data(start).pending().data(end);
    let response = answer(429, None, body).await;
    assert_eq!(refusal(&response), Some(Refusal::Quota));
    assert_eq!(response.body().size_hint().lower(), QUOTA.len() as u64);
    assert_eq!(text(response).await, QUOTA);
}

#[tokio::test(start_paused = true)]
async fn trailers_and_errors_of_a_read_body_keep_their_position() {
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
async fn coded_body_is_decoded_for_reading_and_passed_on_unchanged() {
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

    // An unknown coding, two codings, and bodies that do not have their coding.
    for encoding in ["dcb", "gzip, br", "br", "gzip", "deflate", "zstd"] {
        let body = ScriptedBody::new().data(QUOTA);
        let response = answer(429, Some(encoding), body).await;
        assert_eq!(refusal(&response), Some(Refusal::Throttled), "{encoding}");
        assert_eq!(text(response).await, QUOTA);
    }
}

#[tokio::test(start_paused = true)]
async fn decompression_bomb_is_not_decoded_to_its_end() {
    let bomb = encode(Coding::Gzip, &[&vec![b' '; 80 << 20]]).concat();
    assert!(bomb.len() > 64 << 10);
    let body = ScriptedBody::new().data(bomb.clone());
    let response = answer(429, Some("gzip"), body).await;
    assert_eq!(refusal(&response), Some(Refusal::Throttled));
    assert_eq!(text(response).await.len(), bomb.len());
}

#[tokio::test(start_paused = true)]
async fn at_most_64_kib_of_a_refusal_are_read() {
    let chunk = Bytes::from(vec![b' '; 16 << 10]);
    let body = (0..640).fold(ScriptedBody::new(), |body, _| body.data(chunk.clone()));
    let handle = body.handle();
    let response = answer(500, None, body).await;
    assert_eq!(handle.polls(), 0, "a 500 needs no body");
    drop(response);

    let body = (0..640).fold(ScriptedBody::new(), |body, _| body.data(chunk.clone()));
    let handle = body.handle();
    let response = answer(429, None, body).await;
    assert_eq!(handle.data_bytes(), 64 << 10);
    assert_eq!(text(response).await.len(), 640 * (16 << 10));
}

#[tokio::test(start_paused = true)]
async fn stalled_body_is_passed_on_after_a_second() {
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
async fn response_that_is_not_a_refusal_passes_unchanged() {
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
async fn body_is_dropped_when_the_client_leaves() {
    let body = ScriptedBody::new().pause();
    let handle = body.handle();
    let reading = tokio::spawn(answer(429, None, body));
    tokio::task::yield_now().await;
    reading.abort();
    assert!(reading.await.expect_err("it was aborted").is_cancelled());
    assert!(handle.is_dropped());
}
