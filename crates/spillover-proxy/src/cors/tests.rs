//! Tests of the layer over a service that returns given fields.

use std::{convert::Infallible, task::Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use spillover_testing::Probe;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};

use super::*;

const PAGE: &str = "https://page.example";

fn listed() -> AllowedOrigins {
    let origins = ["https://first.example", PAGE, "http://localhost:3000"];
    AllowedOrigins::List(origins.map(HeaderValue::from_static).into())
}

fn request(method: Method, fields: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::builder().method(method);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn preflight(origin: &'static str) -> Request<()> {
    let fields = [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        (
            "access-control-request-headers",
            "authorization,x-stainless-os",
        ),
    ];
    request(Method::OPTIONS, &fields)
}

/// Returns the response to a request whose backend answers 418 with these fields, and true if the backend was called.
async fn answer(
    setting: Option<&AllowedOrigins>,
    request: Request<()>,
    fields: &'static [(&'static str, &'static str)],
) -> (Response<Full<Bytes>>, bool) {
    let inner: Probe<(), Full<Bytes>, Infallible> = Probe::new(move |_| async move {
        let mut response = Response::builder().status(418);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        Ok(response.body(Full::default()).unwrap())
    });
    let handle = inner.handle();
    let service = CorsLayer::new(setting).layer(inner);
    let Ok(response) = service.oneshot(request).await;
    (response, handle.calls() == 1)
}

fn all<'a>(response: &'a Response<Full<Bytes>>, name: &str) -> Vec<&'a str> {
    let values = response.headers().get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn preflight_is_answered() {
    for (setting, origin) in [(listed(), PAGE), (AllowedOrigins::Any, "*")] {
        let (response, was_asked) = answer(Some(&setting), preflight(PAGE), &[]).await;
        assert!(!was_asked);
        assert_eq!(response.status(), 204);
        for (name, value) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", "PUT"),
            (
                "access-control-allow-headers",
                "authorization,x-stainless-os",
            ),
            ("access-control-max-age", "7200"),
        ] {
            assert_eq!(all(&response, name), [value]);
        }
        assert!(all(&response, "vary")[0].starts_with("origin"));
    }
}

#[tokio::test]
async fn page_of_another_origin_is_refused() {
    for origin in [
        "https://evil.example",
        "null",
        "https://page.example:444",
        "http://page.example",
    ] {
        let (response, was_asked) = answer(Some(&listed()), preflight(origin), &[]).await;
        assert!(!was_asked);
        let names: Vec<_> = response.headers().keys().collect();
        assert_eq!(names, ["vary"], "{origin}");

        let post = request(Method::POST, &[("origin", origin)]);
        // The backend permits every page.
        let fields = &[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x"),
            ("vary", "accept-encoding"),
        ];
        let (response, was_asked) = answer(Some(&listed()), post, fields).await;
        assert!(was_asked && response.status() == 418);
        assert_eq!(all(&response, "vary"), ["accept-encoding", "origin"]);
        assert_eq!(response.headers().len(), 2, "{origin}");
    }
}

#[tokio::test]
async fn allowed_page_may_read_responses() {
    for (setting, origin) in [(listed(), PAGE), (AllowedOrigins::Any, "*")] {
        let post = request(Method::POST, &[("origin", PAGE)]);
        let fields = &[("access-control-allow-origin", "https://portal.example")];
        let (response, _) = answer(Some(&setting), post, fields).await;
        assert_eq!(response.status(), 418);
        assert_eq!(all(&response, "access-control-allow-origin"), [origin]);
        assert_eq!(all(&response, "access-control-expose-headers"), ["*"]);
        assert_eq!(all(&response, "vary").is_empty(), origin == "*");
    }
}

#[tokio::test]
async fn request_without_origin_gets_vary() {
    let (response, _) = answer(Some(&listed()), request(Method::GET, &[]), &[]).await;
    assert_eq!(all(&response, "vary"), ["origin"]);
    assert_eq!(response.headers().len(), 1);
}

#[tokio::test]
async fn other_options_requests_pass() {
    for fields in [
        &[] as &[_],
        &[("origin", PAGE)],
        &[("access-control-request-method", "POST")],
    ] {
        let options = request(Method::OPTIONS, fields);
        assert!(answer(Some(&listed()), options, &[]).await.1);
    }
    let post = [("origin", PAGE), ("access-control-request-method", "POST")];
    assert!(
        answer(Some(&listed()), request(Method::POST, &post), &[])
            .await
            .1
    );
}

#[tokio::test]
async fn without_origins_nothing_is_added_or_answered() {
    let fields = &[("access-control-allow-origin", "https://portal.example")];
    let (response, was_asked) = answer(None, preflight(PAGE), fields).await;
    assert!(was_asked);
    assert_eq!(response.headers().len(), 1);
    assert_eq!(
        all(&response, "access-control-allow-origin"),
        ["https://portal.example"]
    );
}

#[test]
fn readiness_is_the_inner_services() {
    let inner: Probe<(), Full<Bytes>, &str> = Probe::new(|_| std::future::pending());
    let handle = inner.handle();
    let mut service = CorsLayer::new(Some(&listed())).layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));
    drop(service.call(request(Method::POST, &[])));
    assert_eq!((handle.cancelled(), handle.violations()), (1, 0));
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}
