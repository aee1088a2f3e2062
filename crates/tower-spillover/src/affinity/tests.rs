//! Tests of the layer over a service that records its requests and responds for the backend `home`.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, SET_COOKIE},
};
use http_body_util::{BodyExt, Full};
use spillover_core::{Affinity, Backend, Pool, Query, Selected};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_layer::Layer;

use super::*;
use crate::model::{Fields, ModelScopeLayer, Uses};

/// The parts of a request that the inner service saw, and the response of the layer.
struct Passed {
    affinity: Option<Affinity>,
    accept_encoding: Option<String>,
    response: Response<Bytes>,
}

impl Passed {
    fn cookie(&self) -> Option<&str> {
        let field = self.response.headers().get(SET_COOKIE)?;
        field.to_str().ok()
    }
}

fn layer(keys: impl IntoIterator<Item = AffinityKey>, is_pinned: bool) -> BindAffinityLayer {
    BindAffinityLayer::new(AffinityOptions {
        keys: keys.into_iter().collect(),
        is_pinned,
    })
}

/// Sends a request through the layer. The backend `home` responds with `answer`.
async fn pass(
    layer: &BindAffinityLayer,
    request: Request<Full<Bytes>>,
    answer: Response<&'static str>,
) -> Passed {
    let recorded = Arc::new(Mutex::new(None));
    let record = Arc::clone(&recorded);
    let mut answer = answer.map(Full::from);
    answer.extensions_mut().insert(home());
    let mut answer = Some(answer);
    let inner: Probe<_, Full<Bytes>, Infallible> = Probe::new(move |request: Request<_>| {
        let affinity = request.extensions().get::<Affinity>().copied();
        let accept_encoding = request.headers().get(ACCEPT_ENCODING);
        let accept_encoding = accept_encoding.map(|value| value.to_str().unwrap().to_owned());
        *record.lock().unwrap() = Some((affinity, accept_encoding));
        let answer = answer.take().unwrap();
        async { Ok(answer) }
    });
    let fields = AffinityOptions {
        keys: vec![AffinityKey::Id, AffinityKey::BodyField("user".into())],
        ..AffinityOptions::default()
    };
    let fields = Fields::new(fields.body_fields(), Uses::default());
    let service = ServiceBuilder::new()
        .layer(ModelScopeLayer::new(fields))
        .layer(layer.clone())
        .service(inner);
    let Ok(response) = service.oneshot(request).await;
    let (head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let (affinity, accept_encoding) = recorded.lock().unwrap().take().unwrap();
    Passed {
        affinity,
        accept_encoding,
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
async fn first_configured_key_of_a_request_is_the_affinity() {
    let header = AffinityKey::Header("x-session".parse().unwrap());
    let user = AffinityKey::BodyField("user".into());
    let layer = layer([header, user, cookie()], false);
    let affinity_of = async |fields: &[(&'static str, &'static str)], body| {
        let mut request = request(Method::POST, "/v1/chat/completions", body);
        for (name, value) in fields {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(*name, value);
        }
        let passed = pass(&layer, request, ok()).await;
        (passed.affinity, passed.cookie().is_some())
    };
    let by = |key: &str| (Some(Affinity::by_key(key)), false);
    let all = [("x-session", "s"), ("cookie", "home=c")];
    assert_eq!(affinity_of(&all, r#"{"user":"u"}"#).await, by("s"));
    assert_eq!(affinity_of(&all[1..], r#"{"user":"u"}"#).await, by("u"));
    assert_eq!(affinity_of(&all[1..], r#"{"user":7}"#).await, by("c"));
    assert_eq!(affinity_of(&[("x-session", ""), all[1]], "").await, by("c"));
    assert_eq!(affinity_of(&all[1..], r#"{"user":""}"#).await, by("c"));
    let (affinity, has_cookie) = affinity_of(&[], "{}").await;
    assert!(affinity.is_some() && has_cookie);
}

#[tokio::test]
async fn request_with_the_new_cookie_has_the_affinity_of_the_first_request() {
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
async fn affinity_is_pinned_if_the_option_is_set() {
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
async fn request_with_an_id_is_bound_to_the_backend_that_created_it() {
    let layer = layer([AffinityKey::Id], false);
    let to_home = Some(Affinity::to_backend("home"));
    let make = |answer| pass(&layer, request(Method::POST, "/v1/responses", "{}"), answer);
    let made = make(Response::new(r#"{"id":"resp_1"}"#)).await;
    assert_eq!(
        (made.affinity, made.accept_encoding.as_deref()),
        (None, Some("identity"))
    );
    assert_eq!(made.response.body(), r#"{"id":"resp_1"}"#);
    make(Response::new(
        "data: {\"response\":{\"id\":\"resp_2\"}}\n\n",
    ))
    .await;

    let affinity_of = async |method, path, body| {
        let passed = pass(&layer, request(method, path, body), ok()).await;
        passed.affinity
    };
    assert_eq!(
        affinity_of(Method::GET, "/v1/responses/resp_1", "").await,
        to_home
    );
    assert_eq!(
        affinity_of(Method::POST, "/v1/responses/resp_2/cancel", "").await,
        to_home
    );
    let follow = r#"{"previous_response_id":"resp_2"}"#;
    assert_eq!(
        affinity_of(Method::POST, "/v1/responses", follow).await,
        to_home
    );
    assert_eq!(
        affinity_of(Method::GET, "/v1/responses/resp_3", "").await,
        None
    );
    assert_eq!(
        affinity_of(Method::GET, "/v1/files?x=resp_1", "").await,
        None
    );
}

#[tokio::test]
async fn ids_are_read_only_from_uncompressed_successful_responses_that_create_objects() {
    let layer = layer([AffinityKey::Id], false);
    let make = |method, path, answer| pass(&layer, request(method, path, "{}"), answer);
    let mut failed = Response::new(r#"{"id":"a"}"#);
    *failed.status_mut() = StatusCode::BAD_REQUEST;
    make(Method::POST, "/v1/files", failed).await;
    let mut compressed = Response::new(r#"{"id":"b"}"#);
    let gzip = HeaderValue::from_static("gzip");
    compressed.headers_mut().insert(CONTENT_ENCODING, gzip);
    make(Method::POST, "/v1/files", compressed).await;
    let passed = make(Method::GET, "/v1/files", Response::new(r#"{"id":"c"}"#)).await;
    assert_eq!(passed.accept_encoding, None);
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
async fn request_passes_unchanged_if_no_keys_are_configured() {
    let layer = layer([], false);
    let passed = pass(&layer, request(Method::POST, "/v1/responses", "{}"), ok()).await;
    assert_eq!(
        (passed.affinity, passed.accept_encoding.as_deref()),
        (None, None)
    );
    assert_eq!(passed.cookie(), None);
}

#[tokio::test]
async fn request_with_a_job_or_resource_name_is_bound_to_its_backend() {
    let to_home = Some(Affinity::to_backend("home"));
    for (created_at, response, asked_at, body) in [
        (
            "/v1/fine_tuning/jobs",
            r#"{"object":"fine_tuning.job","id":"ftjob-1"}"#,
            "/v1/fine_tuning/jobs/ftjob-1/events",
            "",
        ),
        (
            "/openai/v1/video/generations/jobs",
            r#"{"object":"video.generation.job","id":"task_1"}"#,
            "/openai/v1/video/generations/jobs/task_1",
            "",
        ),
        (
            "/v1beta/cachedContents",
            r#"{"name":"cachedContents/abc","model":"models/gemini-a"}"#,
            "/v1beta/cachedContents/abc",
            "",
        ),
        (
            "/v1beta/cachedContents",
            r#"{"name":"cachedContents/abc","model":"models/gemini-a"}"#,
            "/v1beta/models/gemini-a:generateContent",
            r#"{"cachedContent":"cachedContents/abc"}"#,
        ),
        (
            "/upload/v1beta/files",
            r#"{"file":{"name":"files/abc"}}"#,
            "/v1beta/files/abc:download",
            "",
        ),
    ] {
        let layer = layer([AffinityKey::Id], false);
        let create = request(Method::POST, created_at, "{}");
        pass(&layer, create, Response::new(response)).await;
        let ask = request(Method::POST, asked_at, body);
        let passed = pass(&layer, ask, ok()).await;
        assert_eq!(passed.affinity, to_home, "{asked_at}");
    }
}

#[tokio::test]
async fn url_in_a_response_header_is_bound_to_its_backend() {
    let to_home = Some(Affinity::to_backend("home"));
    for (field, url, asked_at) in [
        (
            "x-goog-upload-url",
            "https://b.example/upload/v1beta/files?upload_id=u1&upload_protocol=resumable",
            "/upload/v1beta/files?upload_protocol=resumable&upload_id=u1",
        ),
        (
            "operation-location",
            "https://b.example/openai/operations/images/op-1?api-version=1",
            "/openai/operations/images/op-1?api-version=1",
        ),
        ("location", "/v1/operations/op-2", "/v1/operations/op-2"),
    ] {
        let layer = layer([AffinityKey::Id], false);
        let mut started = Response::new("");
        let url = HeaderValue::from_static(url);
        started.headers_mut().insert(field, url);
        pass(&layer, request(Method::POST, "/v1/start", "{}"), started).await;
        let passed = pass(&layer, request(Method::PUT, asked_at, ""), ok()).await;
        assert_eq!(passed.affinity, to_home, "{asked_at}");
    }
}

#[tokio::test]
async fn value_of_a_new_cookie_is_the_draw() {
    let service = layer([cookie()], false)
        .with_draw(|| 0xab)
        .layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let field = &response.headers()[SET_COOKIE];
    assert_eq!(
        field,
        "home=00000000000000ab; Path=/; HttpOnly; SameSite=Lax"
    );
}

#[tokio::test]
async fn known_ids_can_be_shared_by_several_layers() {
    let known_ids = KnownIds::default();
    let [creating, asking] =
        [(); 2].map(|()| layer([AffinityKey::Id], false).known_ids(known_ids.clone()));
    let create = request(Method::POST, "/v1/files", "{}");
    pass(&creating, create, Response::new(r#"{"id":"file-1"}"#)).await;
    let ask = request(Method::GET, "/v1/files/file-1", "");
    let passed = pass(&asking, ask, ok()).await;
    assert_eq!(passed.affinity, Some(Affinity::to_backend("home")));
}

#[tokio::test]
async fn error_of_the_inner_service_passes() {
    let service = layer([cookie()], false).layer(service_fn(|_: Request<()>| async {
        Err::<Response<Full<Bytes>>, _>("broken")
    }));
    let error = service.oneshot(Request::new(())).await.unwrap_err();
    assert_eq!(error, "broken");
}

#[tokio::test]
async fn url_without_an_id_binds_nothing() {
    for (status, url, asked_at) in [
        (200, "/v1/chat/completions", "/v1/chat/completions"),
        (200, "https://b.example/v1", "/v1/models"),
        (200, "/v1/files/", "/v1/files/"),
        (307, "/v1/operations/op-1", "/v1/operations/op-1"),
    ] {
        let layer = layer([AffinityKey::Id], false);
        let mut response = Response::new("");
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let url = HeaderValue::from_static(url);
        response.headers_mut().insert("location", url);
        pass(&layer, request(Method::POST, "/v1/start", "{}"), response).await;
        let passed = pass(&layer, request(Method::GET, asked_at, ""), ok()).await;
        assert_eq!(passed.affinity, None, "{status} {asked_at}");
    }
}

#[tokio::test]
async fn id_with_a_colon_is_found_and_an_empty_name_binds_nothing() {
    let layer = layer([AffinityKey::Id], false);
    let create = |answer| pass(&layer, request(Method::POST, "/v1/files", "{}"), answer);
    create(Response::new(r#"{"id":"urn:file:abc"}"#)).await;
    create(Response::new(r#"{"name":"files/"}"#)).await;
    let find = async |path| {
        let passed = pass(&layer, request(Method::GET, path, ""), ok()).await;
        passed.affinity.is_some()
    };
    assert!(find("/v1/files/urn:file:abc").await);
    assert!(!find("/v1/files/other").await);
}
