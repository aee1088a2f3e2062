//! Where the key may stand, and what is left of the request without it.

use super::*;

fn keys() -> Arc<KeyRing> {
    KeyRing::new(&clients([key("one", "k1"), key("two", "k2")]))
}

fn at(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

async fn target(keys: &Arc<KeyRing>, target: &str) -> (Option<String>, u16) {
    let entry = Entry::of(keys, at(target)).await;
    let status = entry.status();
    (
        entry.request.map(|request| request.uri().to_string()),
        status,
    )
}

#[tokio::test]
async fn every_field_of_clients_may_hold_the_key() {
    for (name, value) in [
        ("api-key", "k1"),
        ("x-api-key", "k1"),
        ("x-goog-api-key", "k1"),
        ("ocp-apim-subscription-key", "k1"),
        ("authorization", "Bearer k1"),
        ("authorization", "bearer k1"),
        ("authorization", "BEARER   k1"),
        ("authorization", "  Bearer k1\t "),
        ("api-key", " k1 "),
    ] {
        let entry = Entry::of(&keys(), request(&[(name, value)])).await;
        assert_eq!(entry.client(), Some("one"), "{name}: {value:?}");
        assert!(entry.left().is_empty(), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn other_fields_stay() {
    let both = request(&[
        ("api-key", "k1"),
        ("authorization", "Bearer for the backend"),
        ("x-api-key", "also for the backend"),
    ]);
    let entry = Entry::of(&keys(), both).await;
    assert_eq!(entry.client(), Some("one"));
    let mut left = entry.left();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ("authorization", b"Bearer for the backend".as_slice()),
            ("x-api-key", b"also for the backend".as_slice())
        ]
    );
}

#[tokio::test]
async fn key_that_is_sent_twice_reaches_no_backend() {
    for twice in [
        request(&[("authorization", "Bearer k1"), ("api-key", "k1")]),
        request(&[("api-key", "k1"), ("api-key", "k1")]),
        request(&[("authorization", "Bearer k1"), ("x-api-key", "k2")]),
    ] {
        let entry = Entry::of(&keys(), twice).await;
        assert_eq!(entry.client(), Some("one"));
        assert!(entry.left().is_empty());
    }
    let repeated = request(&[("api-key", "a"), ("api-key", "k2"), ("api-key", "b")]);
    let entry = Entry::of(&keys(), repeated).await;
    assert_eq!(entry.client(), Some("two"));
    assert_eq!(
        entry.left(),
        [("api-key", b"a".as_slice()), ("api-key", b"b")]
    );
}

#[tokio::test]
async fn query_may_hold_the_key() {
    let keys = keys();
    for (shown, left) in [
        ("/v1beta/models?key=k1", "/v1beta/models"),
        (
            "/realtime?api-version=1&api-key=k1",
            "/realtime?api-version=1",
        ),
        ("/x?key=k1&a=%20b&a", "/x?a=%20b&a"),
        ("/x?a&key=%6B1&&b=", "/x?a&&b="),
        ("/x?key=k1&key=k2", "/x"),
        ("/x?key=other&api-key=k1", "/x?key=other"),
        ("http://h.example:1/x?key=k1", "http://h.example:1/x"),
        ("http://h.example?key=k1", "http://h.example/"),
    ] {
        let (target, status) = target(&keys, shown).await;
        assert_eq!((target.as_deref(), status), (Some(left), 200), "{shown}");
    }
    for wrong in [
        "/x?key",
        "/x?key=",
        "/x?keys=k1",
        "/x?Key=k1",
        "/x?a=key=k1",
        "/key=k1",
    ] {
        assert_eq!(target(&keys, wrong).await.1, 401, "{wrong}");
    }
}

#[tokio::test]
async fn query_stays_as_it_is_when_the_key_stands_elsewhere() {
    let keys = keys();
    for shown in ["/x?", "/x?&&", "/x?a=%zz&key=other", "/x?key=&b"] {
        let mut request = at(shown);
        let value = "k1".parse().unwrap();
        request.headers_mut().insert("api-key", value);
        let entry = Entry::of(&keys, request).await;
        assert_eq!(entry.request.unwrap().uri(), shown);
    }
}

#[tokio::test]
async fn page_shows_its_key_as_a_subprotocol() {
    let shown = [
        (
            "realtime, openai-insecure-api-key.k1, openai-beta.realtime-v1",
            Some("realtime, openai-beta.realtime-v1"),
        ),
        ("openai-insecure-api-key.k1", None),
        (
            "openai-insecure-api-key.other,openai-insecure-api-key.k1",
            Some("openai-insecure-api-key.other"),
        ),
    ];
    for (offered, left) in shown {
        let entry = Entry::of(&keys(), request(&[("sec-websocket-protocol", offered)])).await;
        assert_eq!(entry.client(), Some("one"), "{offered}");
        let left = left.map(|left| ("sec-websocket-protocol", left.as_bytes()));
        assert_eq!(entry.left(), Vec::from_iter(left), "{offered}");
    }

    let lines = request(&[
        ("sec-websocket-protocol", "realtime"),
        ("sec-websocket-protocol", "openai-insecure-api-key.k1"),
    ]);
    let entry = Entry::of(&keys(), lines).await;
    assert_eq!(
        entry.left(),
        [("sec-websocket-protocol", b"realtime".as_slice())]
    );

    let offered = "realtime,openai-insecure-api-key.";
    let entry = Entry::of(&keys(), request(&[("sec-websocket-protocol", offered)])).await;
    assert_eq!(entry.status(), 401);
}
