//! Tests of the layer over an inner service that returns the request it gets.

use std::{convert::Infallible, task::Poll};

use http::{HeaderMap, Method, Request, Response, Version, header::HOST};
use spillover_core::{Backend, BackendBuilder, BackendKind, Credential, Pool, Query, Selected};
use spillover_testing::Probe;
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;

/// Header fields with keys of clients, and with the accounts of these keys.
const CLIENT_CREDENTIALS: [&str; 9] = [
    "authorization",
    "api-key",
    "ocp-apim-subscription-key",
    "x-api-key",
    "x-goog-api-key",
    "openai-organization",
    "openai-project",
    "chatgpt-account-id",
    "x-goog-user-project",
];

fn backend(label: &str) -> BackendBuilder {
    Backend::builder(label).url(format!("https://{label}.example"))
}

fn selected(backend: BackendBuilder) -> Selected {
    let pool = Pool::new([backend.build().unwrap()]).unwrap();
    let selected = pool.select(&Query::new(), Instant::now(), 0);
    selected.expect("it is open")
}

fn request(target: &str) -> Request<&'static str> {
    Request::post(target).body("question").unwrap()
}

/// Returns the request as the inner service gets it.
async fn rewritten(
    backend: BackendBuilder,
    request: &Request<&'static str>,
) -> Request<&'static str> {
    let mut request = request.clone();
    request.extensions_mut().insert(selected(backend));
    pass(request).await
}

async fn pass(request: Request<&'static str>) -> Request<&'static str> {
    let inner: Probe<&str, Request<&str>, Infallible> =
        Probe::new(|request| async move { Ok(Response::new(request)) });
    let service = RewriteRequestLayer::new().layer(inner);
    service.oneshot(request).await.unwrap().into_body()
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

#[tokio::test]
async fn request_is_rewritten_for_the_selected_backend() {
    let backend = backend("b")
        .url("http://b.example:8080/base/")
        .deployment("new");
    let sent = rewritten(backend, &request("/openai/deployments/old/chat?v=1")).await;
    assert_eq!(
        sent.uri(),
        "http://b.example:8080/base/openai/deployments/new/chat?v=1"
    );
    assert!(!sent.headers().contains_key(HOST));
}

#[tokio::test]
async fn request_target_cannot_choose_the_upstream() {
    let targets = [
        ("/x", "/x"),
        ("https://evil.example/x?y", "/x?y"),
        ("http://user:password@evil.example:81/x", "/x"),
        ("HTTP://evil.example", "/"),
        ("//evil.example/x", "//evil.example/x"),
        ("/http://evil.example/x", "/http://evil.example/x"),
        ("/@evil.example/", "/@evil.example/"),
        ("/..//evil.example", "/..//evil.example"),
        ("evil.example:443", "/"),
        ("evil.example", "/"),
        ("*", "/"),
    ];
    for (target, path) in targets {
        let sent = rewritten(backend("b"), &request(target)).await;
        assert_eq!(sent.uri().scheme_str(), Some("https"), "{target}");
        assert_eq!(sent.uri().authority().unwrap(), "b.example", "{target}");
        assert_eq!(sent.uri().path_and_query().unwrap(), path, "{target}");
    }
}

#[tokio::test]
async fn host_field_cannot_choose_the_upstream() {
    let mut request = request("/");
    request
        .headers_mut()
        .append(HOST, "evil.example".parse().unwrap());
    request
        .headers_mut()
        .append(HOST, "worse.example".parse().unwrap());
    let sent = rewritten(backend("b"), &request).await;
    assert_eq!(sent.uri().authority().unwrap(), "b.example");
    assert!(!sent.headers().contains_key(HOST));
}

#[tokio::test]
async fn version_of_http_2_and_3_requests_becomes_http_1_1() {
    for (version, expected) in [
        (Version::HTTP_10, Version::HTTP_10),
        (Version::HTTP_11, Version::HTTP_11),
        (Version::HTTP_2, Version::HTTP_11),
        (Version::HTTP_3, Version::HTTP_11),
    ] {
        let mut request = request("/");
        *request.version_mut() = version;
        let sent = rewritten(backend("b"), &request).await;
        assert_eq!(sent.version(), expected, "{version:?}");
    }
}

/// Creates a request with two credentials of the client in each field that can have one.
fn with_credentials() -> Request<&'static str> {
    let mut request = request("/");
    for name in CLIENT_CREDENTIALS {
        request
            .headers_mut()
            .append(name, "of the client".parse().unwrap());
        request
            .headers_mut()
            .append(name, "and another".parse().unwrap());
    }
    request
}

#[tokio::test]
async fn client_credentials_are_removed_for_a_backend_with_its_own() {
    let own = [
        (Credential::api_key("k"), "api-key", "k"),
        (Credential::bearer("t"), "authorization", "Bearer t"),
        (
            Credential::header("x-api-key".parse().unwrap(), "a"),
            "x-api-key",
            "a",
        ),
        (
            Credential::header("x-other".parse().unwrap(), "o"),
            "x-other",
            "o",
        ),
    ];
    for (credential, name, value) in own {
        let mut request = with_credentials();
        request
            .headers_mut()
            .append("x-other", "of the client".parse().unwrap());
        let sent = rewritten(backend("b").credential(credential.unwrap()), &request).await;
        assert_eq!(all(sent.headers(), name), [value]);
        for removed in CLIENT_CREDENTIALS
            .into_iter()
            .filter(|other| *other != name)
        {
            assert!(
                !sent.headers().contains_key(removed),
                "{removed} beside {name}"
            );
        }
    }
}

#[tokio::test]
async fn client_credentials_are_removed_when_a_layer_adds_the_credential() {
    let backend = backend("b").credential(Credential::by_layer());
    let sent = rewritten(backend, &with_credentials()).await;
    for removed in CLIENT_CREDENTIALS {
        assert!(!sent.headers().contains_key(removed), "{removed}");
    }
}

/// Creates a request of a browser, which cannot set header fields.
fn browser_request() -> Request<&'static str> {
    let mut request = request("/openai/realtime?api-version=1&deployment=old&api-key=sk-client");
    let protocols = "realtime, openai-insecure-api-key.sk-client, openai-beta.realtime-v1";
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocols.parse().unwrap());
    request
}

#[tokio::test]
async fn keys_in_the_query_and_subprotocols_are_removed() {
    for credential in [Credential::api_key("k").unwrap(), Credential::by_layer()] {
        let sent = rewritten(backend("b").credential(credential), &browser_request()).await;
        let target = sent.uri().path_and_query().unwrap();
        assert_eq!(target, "/openai/realtime?api-version=1&deployment=old");
        assert_eq!(
            all(sent.headers(), "sec-websocket-protocol"),
            ["realtime, openai-beta.realtime-v1"]
        );
    }

    let sent = rewritten(backend("b").deployment("new"), &browser_request()).await;
    let target = sent.uri().path_and_query().unwrap();
    assert_eq!(
        target,
        "/openai/realtime?api-version=1&deployment=new&api-key=sk-client"
    );
    assert_eq!(
        sent.headers()["sec-websocket-protocol"],
        browser_request().headers()["sec-websocket-protocol"]
    );
}

#[tokio::test]
async fn credential_of_the_backend_is_hidden_in_debug_output() {
    let credential = Credential::bearer("hunter2").unwrap();
    let sent = rewritten(backend("b").credential(credential), &request("/")).await;
    assert!(sent.headers()["authorization"].is_sensitive());
    assert!(!format!("{sent:?}").contains("hunter2"));
}

#[tokio::test]
async fn client_credentials_pass_to_a_backend_without_its_own() {
    let request = with_credentials();
    let sent = rewritten(backend("b"), &request).await;
    assert_eq!(sent.headers(), request.headers());
}

#[tokio::test]
async fn rest_of_the_request_is_unchanged() {
    let mut request = request("/x");
    *request.method_mut() = Method::PUT;
    *request.version_mut() = Version::HTTP_10;
    for (name, value) in [
        ("accept", "a"),
        ("accept", "b"),
        ("cookie", "c=1"),
        ("openai-beta", "o"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request.extensions_mut().insert(7_u8);
    let credential = Credential::api_key("k").unwrap();
    let mut sent = rewritten(backend("b").credential(credential), &request).await;

    assert_eq!(
        (sent.method(), sent.version()),
        (request.method(), request.version())
    );
    assert_eq!(sent.extensions().get(), Some(&7_u8));
    assert_eq!(
        sent.extensions()
            .get::<Selected>()
            .unwrap()
            .backend()
            .label(),
        "b"
    );
    assert_eq!(*sent.body(), "question");
    sent.headers_mut().remove("api-key");
    assert_eq!(sent.headers(), request.headers());
}

#[tokio::test]
async fn request_without_a_selected_backend_passes_unchanged() {
    let mut request = with_credentials();
    *request.uri_mut() = "https://elsewhere.example/openai/deployments/d?x"
        .parse()
        .unwrap();
    let sent = pass(request.clone()).await;
    assert_eq!(sent.uri(), request.uri());
    assert_eq!(sent.headers(), request.headers());
}

#[tokio::test]
async fn rewrite_of_one_attempt_does_not_affect_the_next() {
    let original = request("/openai/deployments/old/chat");
    let first = backend("a")
        .url("https://a.example/first")
        .deployment("one");
    rewritten(
        first.credential(Credential::bearer("one").unwrap()),
        &original,
    )
    .await;

    let second = backend("b").url("https://b.example/second");
    let sent = rewritten(
        second.credential(Credential::api_key("two").unwrap()),
        &original,
    )
    .await;
    assert_eq!(
        sent.uri(),
        "https://b.example/second/openai/deployments/old/chat"
    );
    assert_eq!(sent.headers()["api-key"], "two");
    assert!(!sent.headers().contains_key("authorization"));
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

#[test]
fn readiness_is_that_of_the_inner_service() {
    let inner: Probe<(), (), &str> = Probe::new(|_| std::future::pending());
    let handle = inner.handle();
    let mut service = RewriteRequestLayer::new().layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));

    let clone = service.clone();
    assert!(service.get_ref().is_ready() && !clone.get_ref().is_ready());
    drop(service.call(Request::new(())));
    assert_eq!((handle.cancelled(), handle.violations()), (1, 0));
}

#[test]
fn inner_service_is_accessible() {
    let mut service = RewriteRequestLayer::new().layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}

#[tokio::test]
async fn model_removed_from_the_path_is_in_the_extensions() {
    let openai = |label| backend(label).kind(BackendKind::OpenAi);
    let target = "/openai/deployments/gpt%2D4o/chat/completions?api-version=2024-10-21&x=1";
    let sent = rewritten(openai("b"), &request(target)).await;
    assert_eq!(sent.uri(), "https://b.example/v1/chat/completions?x=1");
    let model = sent.extensions().get::<ModelFromPath>().unwrap();
    assert_eq!(model.model(), "gpt-4o");

    let sent = rewritten(openai("b").deployment("own"), &request(target)).await;
    assert_eq!(sent.uri(), "https://b.example/v1/chat/completions?x=1");
    let model = sent.extensions().get::<ModelFromPath>().unwrap();
    assert_eq!(model.model(), "own");

    let azure = backend("b").kind(BackendKind::Azure);
    let sent = rewritten(azure, &request(target)).await;
    assert_eq!(sent.uri().path_and_query().unwrap(), target);
    assert!(sent.extensions().get::<ModelFromPath>().is_none());
}

#[tokio::test]
async fn unsupported_path_is_marked_in_the_extensions() {
    let target = "/openai/deployments/gpt-4o/extensions/chat/completions?api-version=1";
    for (kind, is_unsupported) in [
        (BackendKind::OpenAi, true),
        (BackendKind::Azure, false),
        (BackendKind::Other, false),
    ] {
        let sent = rewritten(backend("b").kind(kind), &request(target)).await;
        assert_eq!(sent.uri().path_and_query().unwrap(), target);
        let unsupported = sent.extensions().get::<UnsupportedPath>();
        assert_eq!(unsupported.is_some(), is_unsupported, "{kind}");
    }
}
