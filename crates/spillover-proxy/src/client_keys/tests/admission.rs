//! Admission of requests, and refusals.

use std::task::Poll;

use http::HeaderValue;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::Service;

use super::*;

#[tokio::test]
async fn without_keys_requests_pass_unchanged() {
    let keys = KeyRing::new(&clients([]));
    for request in [request(&[]), bearer("of the backend")] {
        let fields = request.headers().clone();
        let entry = Entry::of(&keys, request).await;
        assert_eq!((entry.status(), entry.client()), (200, None));
        assert_eq!(*entry.request.unwrap().headers(), fields);
    }
    assert_eq!(keys.snapshot().unauthorized, 0);
}

#[tokio::test]
async fn key_identifies_its_client() {
    let keys = KeyRing::new(&clients([
        key("one", "k1"),
        key("two", "k2"),
        key("three", "k3"),
    ]));
    for (secret, name) in [("k1", "one"), ("k2", "two"), ("k3", "three")] {
        let entry = Entry::of(&keys, bearer(secret)).await;
        assert_eq!((entry.status(), entry.client()), (200, Some(name)));
        assert!(entry.left().is_empty());
    }
    let counts = keys.snapshot();
    assert!(counts.clients.iter().all(|client| client.requests == 1));
    assert_eq!(counts.unauthorized, 0);
}

#[tokio::test]
async fn malformed_key_is_refused() {
    let keys = KeyRing::new(&clients([key("one", "k1")]));
    let presented = [
        request(&[]),
        bearer(""),
        bearer("k"),
        bearer("k1k1"),
        bearer("K1"),
        bearer("k1 k1"),
        request(&[("authorization", "k1")]),
        request(&[("authorization", "Basic k1")]),
        request(&[("authorization", "Bearerk1")]),
        request(&[("authorization", "")]),
        request(&[("api-key", "")]),
        request(&[("api-key", "Bearer k1")]),
        request(&[("x-key", "k1")]),
    ];
    let mut refused = 0;
    for request in presented {
        let shown = format!("{:?}", request.headers());
        let entry = Entry::of(&keys, request).await;
        refused += 1;
        assert_eq!(entry.status(), 401, "{shown}");
        assert!(entry.request.is_none(), "{shown}");
        assert_eq!(keys.snapshot().unauthorized, refused);
    }
}

#[tokio::test]
async fn bytes_of_any_kind_can_be_compared() {
    let odd = HeaderValue::from_bytes(b"k\xff\xfe\x80\xc3").unwrap();
    let mut with_odd = request(&[]);
    with_odd.headers_mut().insert("api-key", odd.clone());
    let keys = KeyRing::new(&clients([key("one", "k1")]));
    assert_eq!(Entry::of(&keys, with_odd).await.status(), 401);

    let mut odd_key = key("odd", "");
    odd_key.sha256 = Sha256::digest(odd.as_bytes()).into();
    let keys = KeyRing::new(&clients([odd_key]));
    let mut with_odd = request(&[]);
    with_odd.headers_mut().insert("api-key", odd);
    assert_eq!(Entry::of(&keys, with_odd).await.client(), Some("odd"));
}

#[tokio::test]
async fn hash_of_an_empty_key_admits_no_request() {
    let keys = KeyRing::new(&clients([key("nobody", "")]));
    for request in [request(&[]), bearer(""), request(&[("api-key", " ")])] {
        assert_eq!(Entry::of(&keys, request).await.status(), 401);
    }
}

#[tokio::test]
async fn refusal_speaks_the_language_of_the_client() {
    let keys = KeyRing::new(&clients([key("one", "k1")]));
    let openai = Entry::of(&keys, bearer("wrong")).await;
    assert_eq!(openai.json().await["error"]["code"], "invalid_api_key");

    let wrong = request(&[("anthropic-version", "2023-06-01"), ("x-api-key", "wrong")]);
    let anthropic = Entry::of(&keys, wrong).await.json().await;
    assert_eq!(anthropic["error"]["type"], "authentication_error");

    let wrong = request(&[("content-type", "application/grpc"), ("api-key", "wrong")]);
    let grpc = Entry::of(&keys, wrong).await;
    assert_eq!(
        (grpc.status(), grpc.field("grpc-status")),
        (200, Some("16"))
    );
    assert_eq!(grpc.field("www-authenticate"), None);
    assert!(grpc.request.is_none());
}

#[tokio::test]
async fn refusal_names_the_scheme_and_the_invalid_key() {
    let keys = KeyRing::new(&clients([key("one", "k1")]));
    let none = Entry::of(&keys, request(&[])).await;
    assert_eq!(
        none.field("www-authenticate"),
        Some(r#"Bearer realm="spillover""#)
    );
    let wrong = Entry::of(&keys, bearer("wrong")).await;
    assert_eq!(
        wrong.field("www-authenticate"),
        Some(r#"Bearer realm="spillover", error="invalid_token""#)
    );
}

#[tokio::test]
async fn key_opens_the_pools_that_it_is_for() {
    let mut some = key("some", "k1");
    some.pools = vec!["chat".into(), "embeddings".into()];
    let keys = KeyRing::new(&clients([some, key("all", "k2")]));
    for (secret, may_use_other) in [("k1", false), ("k2", true)] {
        let entry = Entry::of(&keys, bearer(secret)).await;
        let request = entry.request.unwrap();
        let client = request.extensions().get::<Client>().unwrap();
        assert!(client.may_use("chat") && client.may_use("embeddings"));
        assert_eq!(client.may_use("other"), may_use_other);
        assert_eq!(client.may_use("cha"), may_use_other);
    }
}

#[test]
fn readiness_is_the_inner_services() {
    let inner: Probe<(), Full<Bytes>, &str> = Probe::new(|_| std::future::pending());
    let handle = inner.handle();
    let keys = KeyRing::new(&clients([key("one", "k1")]));
    let mut service = ClientKeysLayer::new(keys).layer(inner);
    handle.set_pending();
    assert_pending!(poll_ready(&mut service));
    handle.fail_ready("shut down");
    assert_eq!(assert_ready_err!(poll_ready(&mut service)), "shut down");
    handle.set_ready();
    assert_ready_ok!(poll_ready(&mut service));

    // A refused request leaves the ready service ready; one that came in is given up with its future.
    drop(service.call(request(&[])));
    assert_eq!((handle.calls(), handle.reserved()), (0, 1));
    drop(service.call(bearer("k1")));
    assert_eq!((handle.cancelled(), handle.violations()), (1, 0));
}

fn poll_ready<S: Service<Request<()>>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}
