//! The layer over a service that keeps what it is sent, and answers for the backend of its choice.

use std::sync::Mutex;

use bytes::Bytes;
use http::{
    Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, SET_COOKIE},
};
use http_body_util::{BodyExt, Full};
use spillover_core::{Backend, Pool, Query, Selected};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use super::*;
use tower_spillover::model::{Fields, ModelScopeLayer, Uses};

/// What came of one request.
struct Passed {
    affinity: Option<Affinity>,
    accepts: Option<String>,
    response: Response<Bytes>,
}

impl Passed {
    fn cookie(&self) -> Option<&str> {
        let field = self.response.headers().get(SET_COOKIE)?;
        field.to_str().ok()
    }
}

fn layer(keys: impl IntoIterator<Item = AffinityKey>, is_pinned: bool) -> AffinityLayer {
    let config = AffinityConfig {
        keys: keys.into_iter().collect(),
        is_pinned,
    };
    AffinityLayer::new(Some(config), KnownIds::default())
}

/// The backend `home` answers.
async fn pass(
    layer: &AffinityLayer,
    request: Request<Full<Bytes>>,
    answer: Response<&'static str>,
) -> Passed {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let mut answer = answer.map(Full::from);
    answer.extensions_mut().insert(home());
    let mut answer = Some(answer);
    let inner: Probe<_, Full<Bytes>, Infallible> = Probe::new(move |request: Request<_>| {
        let affinity = request.extensions().get::<Affinity>().copied();
        let accepts = request.headers().get(ACCEPT_ENCODING);
        let accepts = accepts.map(|value| value.to_str().unwrap().to_owned());
        *keep.lock().unwrap() = Some((affinity, accepts));
        let answer = answer.take().unwrap();
        async { Ok(answer) }
    });
    let fields = ID_FIELDS.into_iter().chain(["user"]);
    let service = ServiceBuilder::new()
        .layer(
            ModelScopeLayer::new(Fields::new(fields, Uses::default()))
                .with_rejected_response(spillover_proxy::model_error::rejected_response),
        )
        .layer(layer.clone())
        .service(inner);
    let Ok(response) = service.oneshot(request).await;
    let (head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let (affinity, accepts) = kept.lock().unwrap().take().unwrap();
    Passed {
        affinity,
        accepts,
        response: Response::from_parts(head, body.to_bytes()),
    }
}

fn home() -> Selected {
    let home = Backend::builder("home").url("https://upstream.example");
    let pool = Pool::new([home.build().unwrap()]).unwrap();
    let selected = pool.select(&Query::new(), Instant::now(), 0);
    selected.unwrap()
}

fn request(method: Method, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(CONTENT_TYPE, "application/json");
    request.body(body.into()).unwrap()
}

fn ok() -> Response<&'static str> {
    Response::new("{}")
}

fn cookie() -> AffinityKey {
    AffinityKey::Cookie("home".into())
}

#[tokio::test]
async fn the_first_key_that_a_request_has_counts() {
    let header = AffinityKey::Header("x-session".parse().unwrap());
    let user = AffinityKey::BodyField("user".into());
    let layer = layer([header, user, cookie()], false);
    let find = async |fields: &[(&'static str, &'static str)], body| {
        let mut request = request(Method::POST, "/v1/chat/completions", body);
        for (name, value) in fields {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(*name, value);
        }
        let passed = pass(&layer, request, ok()).await;
        (passed.affinity, passed.cookie().is_some())
    };
    let of = |key: &str| (Some(Affinity::by_key(key)), false);
    let all = [("x-session", "s"), ("cookie", "home=c")];
    assert_eq!(find(&all, r#"{"user":"u"}"#).await, of("s"));
    assert_eq!(find(&all[1..], r#"{"user":"u"}"#).await, of("u"));
    assert_eq!(find(&all[1..], r#"{"user":7}"#).await, of("c"));
    assert_eq!(find(&[("x-session", ""), all[1]], "").await, of("c"));
    assert_eq!(find(&all[1..], r#"{"user":""}"#).await, of("c"));
    let (affinity, has_cookie) = find(&[], "{}").await;
    assert!(affinity.is_some() && has_cookie);
}

#[tokio::test]
async fn a_new_cookie_leads_where_its_request_went() {
    let layer = layer([cookie()], true);
    let first = pass(&layer, request(Method::GET, "/", ""), ok()).await;
    let field = first.cookie().unwrap();
    let (pair, _) = field.split_once(';').unwrap();
    let mut again = request(Method::GET, "/", "");
    let sent = format!("other=1; {pair}").try_into().unwrap();
    again.headers_mut().insert(COOKIE, sent);
    let second = pass(&layer, again, ok()).await;
    assert!(first.affinity.is_some());
    assert_eq!(first.affinity, second.affinity);
    assert_eq!(second.cookie(), None);

    let third = pass(&layer, request(Method::GET, "/", ""), ok()).await;
    assert_ne!(third.cookie(), first.cookie());
}

#[tokio::test]
async fn it_is_pinned_if_it_is_to_be() {
    let key = || AffinityKey::Header("x-session".parse().unwrap());
    for is_pinned in [false, true] {
        let mut request = request(Method::GET, "/", "");
        let value = HeaderValue::from_static("s");
        request.headers_mut().insert("x-session", value);
        let passed = pass(&layer([key()], is_pinned), request, ok()).await;
        let expected = Affinity::by_key("s");
        let pinned = expected.pinned();
        let expected = if is_pinned { pinned } else { expected };
        assert_eq!(passed.affinity, Some(expected));
    }
}

#[tokio::test]
async fn what_a_backend_made_is_asked_for_there() {
    let layer = layer([AffinityKey::Id], false);
    let to_home = Some(Affinity::to_backend("home"));
    let make = |answer| pass(&layer, request(Method::POST, "/v1/responses", "{}"), answer);
    let made = make(Response::new(r#"{"id":"resp_1"}"#)).await;
    assert_eq!(
        (made.affinity, made.accepts.as_deref()),
        (None, Some("identity"))
    );
    assert_eq!(made.response.body(), r#"{"id":"resp_1"}"#);
    make(Response::new(
        "data: {\"response\":{\"id\":\"resp_2\"}}\n\n",
    ))
    .await;

    let find = async |method, path, body| {
        let passed = pass(&layer, request(method, path, body), ok()).await;
        passed.affinity
    };
    assert_eq!(find(Method::GET, "/v1/responses/resp_1", "").await, to_home);
    assert_eq!(
        find(Method::POST, "/v1/responses/resp_2/cancel", "").await,
        to_home
    );
    let follow = r#"{"previous_response_id":"resp_2"}"#;
    assert_eq!(find(Method::POST, "/v1/responses", follow).await, to_home);
    assert_eq!(find(Method::GET, "/v1/responses/resp_3", "").await, None);
    assert_eq!(find(Method::GET, "/v1/files?x=resp_1", "").await, None);
}

#[tokio::test]
async fn ids_are_learned_from_successes_that_can_be_read_only() {
    let layer = layer([AffinityKey::Id], false);
    let make = |method, path, answer| pass(&layer, request(method, path, "{}"), answer);
    let mut failed = Response::new(r#"{"id":"a"}"#);
    *failed.status_mut() = http::StatusCode::BAD_REQUEST;
    make(Method::POST, "/v1/files", failed).await;
    let mut compressed = Response::new(r#"{"id":"b"}"#);
    let gzip = HeaderValue::from_static("gzip");
    compressed.headers_mut().insert(CONTENT_ENCODING, gzip);
    make(Method::POST, "/v1/files", compressed).await;
    let passed = make(Method::GET, "/v1/files", Response::new(r#"{"id":"c"}"#)).await;
    assert_eq!(passed.accepts, None);
    make(
        Method::POST,
        "/v1/chat/completions",
        Response::new(r#"{"id":"d"}"#),
    )
    .await;
    let long: &'static str = format!(r#"{{"id":"{}"}}"#, "e".repeat(300)).leak();
    make(Method::POST, "/v1/files", Response::new(long)).await;
    let late: &'static str = format!(r#"{{"pad":"{}","id":"f"}}"#, " ".repeat(5000)).leak();
    make(Method::POST, "/v1/files", Response::new(late)).await;

    make(Method::POST, "/v1/files", Response::new(r#"{"id":"yes"}"#)).await;
    for id in ["a", "b", "c", "d", &"e".repeat(300), "f"] {
        let asked = request(Method::GET, &format!("/v1/files/{id}"), "");
        assert_eq!(pass(&layer, asked, ok()).await.affinity, None, "{id}");
    }
    let asked = request(Method::GET, "/v1/files/yes", "");
    assert!(pass(&layer, asked, ok()).await.affinity.is_some());
}

#[tokio::test]
async fn without_keys_nothing_is_done() {
    let layer = AffinityLayer::new(None, KnownIds::default());
    let passed = pass(&layer, request(Method::POST, "/v1/responses", "{}"), ok()).await;
    assert_eq!((passed.affinity, passed.accepts.as_deref()), (None, None));
    assert_eq!(passed.cookie(), None);
}
