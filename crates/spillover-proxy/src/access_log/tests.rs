//! Tests of the log line.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use spillover_testing::{CapturedLog, Probe, ScriptedBody};
use tower::ServiceExt;
use tracing::Level;

use super::*;
use crate::Progress;

/// Returns the log of a request whose response has this body, read up to `frames` frames.
async fn log_of(body: ScriptedBody, frames: usize) -> String {
    let (log, guard) = CapturedLog::start(Level::INFO);
    let mut body = Some(body);
    let inner: Probe<(), _, Infallible> = Probe::new(move |_| {
        let body = body.take().unwrap();
        async move { Ok(Response::new(body)) }
    });
    let service = AccessLogLayer::new().layer(inner);
    let request = Request::post("/v1/x?key=k").body(()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    let mut body = response.into_body();
    for _ in 0..frames {
        tokio::time::advance(Duration::from_secs(1)).await;
        let _ = body.frame().await;
    }
    drop(body);
    drop(guard);
    log.text()
}

#[tokio::test(start_paused = true)]
async fn line_is_written_at_the_end_of_the_body() {
    let body = ScriptedBody::new().data("ab").data("c");
    let log = log_of(body, 3).await;
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in [
        "method=POST",
        r#"path="/v1/x" "#,
        "status=200",
        "attempts=0",
        "duration_ms=3000",
        "bytes=3",
        r#"end="complete""#,
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn broken_and_dropped_bodies_are_told_apart() {
    let broken = log_of(ScriptedBody::new().data("a").error("reset"), 2).await;
    assert!(broken.contains(r#"bytes=1 end="broken""#), "{broken}");
    let cancelled = log_of(ScriptedBody::new().data("a").data("b"), 1).await;
    assert!(
        cancelled.contains(r#"bytes=1 end="cancelled""#),
        "{cancelled}"
    );
}

#[tokio::test(start_paused = true)]
async fn request_that_is_dropped_before_its_response_is_logged_with_its_progress() {
    let (log, guard) = CapturedLog::start(Level::INFO);
    let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(|request: Request<()>| {
        let progress = request.extensions().get::<Progress>().unwrap();
        progress.set_client(&"team-a".into());
        progress.set_pool(&"chat".into());
        std::future::pending()
    });
    let layer = AccessLogLayer::new().client_certificate(|_| Some("AB12".into()));
    let pending = layer.layer(inner).oneshot(Request::new(())).now_or_never();
    assert!(pending.is_none());
    drop(guard);
    let log = log.text();
    for part in [
        r#"client="team-a""#,
        r#"client_certificate="AB12""#,
        r#"pool="chat""#,
        r#"end="cancelled""#,
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("status="), "{log}");
}

#[tokio::test]
async fn request_below_the_log_level_has_no_progress() {
    let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(|request: Request<()>| {
        assert!(request.extensions().get::<Progress>().is_none());
        async { Ok(Response::new(Full::default())) }
    });
    let (log, _guard) = CapturedLog::start(Level::WARN);
    let service = AccessLogLayer::new().layer(inner);
    let Ok(_) = service.oneshot(Request::new(())).await;
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn ids_of_client_and_backend_are_logged() {
    for (field, logged) in [
        ("x-request-id", true),
        ("request-id", true),
        ("apim-request-id", true),
        ("x-amzn-requestid", true),
        ("x-id", false),
    ] {
        let (log, guard) = CapturedLog::start(Level::INFO);
        let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(move |_| async move {
            let response = Response::builder().header(field, "req_42");
            Ok(response.body(Full::default()).unwrap())
        });
        let request = Request::get("/").header("x-request-id", "id-7");
        let service = AccessLogLayer::new().layer(inner);
        let Ok(response) = service.oneshot(request.body(()).unwrap()).await;
        drop(response);
        drop(guard);
        let ids = [r#"request_id="id-7""#, r#"upstream_request_id="req_42""#];
        assert_eq!(log.count(&ids[..1]), 1, "{}", log.text());
        assert_eq!(log.count(&ids) == 1, logged, "{field}: {}", log.text());
    }
}
