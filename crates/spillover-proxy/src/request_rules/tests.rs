//! Tests of the layer between the model layer and a service that keeps its request.

use std::sync::{Arc, Mutex};

use http::{
    HeaderValue,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use spillover_core::{Affinity, Backend, BackendBuilder, BackendKind, Declined, Pool, Query};
use spillover_testing::{
    Probe,
    coding::{CODINGS, encoded},
};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};
use tower_spillover::{
    coding::Coding,
    model::{Fields, ModelScopeLayer, Uses},
    rewrite::RewriteRequestLayer,
};

use super::*;
use crate::HeaderRules;

/// A backend with its rules.
#[derive(Clone)]
struct Subject {
    backend: Backend,
    rules: RequestRules,
}

fn backend(label: &str) -> Subject {
    subject(Backend::builder(label))
}

/// Returns a backend with a model of its own.
fn with_model(model: &str) -> Subject {
    subject(Backend::builder("own").model(model))
}

fn subject(backend: BackendBuilder) -> Subject {
    let backend = backend.url("https://upstream.example").build().unwrap();
    let rules = RequestRules::new(&backend);
    Subject { backend, rules }
}

/// Sends a request to the backend at `index`, if there is one, and returns the request that the backend got.
async fn sent(
    backends: &[Subject],
    index: Option<usize>,
    request: Request<Full<Bytes>>,
) -> Request<Bytes> {
    let sent = attempt(backends, index, request).await;
    sent.expect("the backend is asked")
}

/// Sends a request to one backend, and returns the request that it got, or else the response in its place.
async fn sent_or_refused(
    backend: BackendBuilder,
    request: Request<Full<Bytes>>,
) -> Result<Request<Bytes>, Response<Full<Bytes>>> {
    attempt(&[subject(backend)], Some(0), request).await
}

async fn attempt(
    backends: &[Subject],
    index: Option<usize>,
    request: Request<Full<Bytes>>,
) -> Result<Request<Bytes>, Response<Full<Bytes>>> {
    let pool = Pool::new(backends.iter().map(|subject| subject.backend.clone())).unwrap();
    let selected = index.map(|index| {
        let label = backends[index].backend.label();
        let query = Query::new().affinity(Affinity::to_backend(label));
        let selected = pool.select(&query, Instant::now(), 0);
        selected.unwrap()
    });
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let inner: Probe<_, Full<Bytes>, Infallible> = Probe::new(move |request: Request<_>| {
        let keep = Arc::clone(&keep);
        async move {
            let (head, body) = request.into_parts();
            let body = BodyExt::collect(body).await.unwrap();
            *keep.lock().unwrap() = Some(Request::from_parts(head, body.to_bytes()));
            Ok(Response::default())
        }
    });
    let uses = Uses {
        is_replaced: true,
        is_replaced_beside_path: true,
        ..Uses::default()
    };
    let service = ServiceBuilder::new()
        .layer(ModelScopeLayer::new(Fields::new([], uses)))
        .map_request(move |mut request: Request<_>| {
            if let Some(selected) = &selected {
                request.extensions_mut().insert(selected.clone());
            }
            request
        })
        .layer(RewriteRequestLayer::new())
        .layer(RequestRulesLayer::new(
            backends.iter().map(|subject| subject.rules.clone()),
        ))
        .service(inner);
    let Ok(response) = service.oneshot(request).await;
    let sent = kept.lock().unwrap().take();
    sent.ok_or(response)
}

fn chat(body: &'static str) -> http::request::Builder {
    Request::post("/v1/chat/completions")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
}

const CHAT: &str = r#"{"n":1, "model" : "gpt-4o" ,"é":"\"model\":\"gpt-4o\""}"#;

#[tokio::test]
async fn model_is_replaced_and_nothing_else() {
    let own = with_model("o\"é");
    let request = chat(CHAT)
        .header("content-digest", "sha-256=:x:")
        .body(CHAT.into())
        .unwrap();
    let sent = sent(&[own], Some(0), request).await;
    let expected = CHAT.replacen(r#""gpt-4o""#, r#""o\"é""#, 1);
    assert_eq!(sent.body(), expected.as_bytes());
    assert_eq!(
        sent.headers()[CONTENT_LENGTH],
        expected.len().to_string().as_str()
    );
    assert!(!sent.headers().contains_key("content-digest"));
}

#[tokio::test]
async fn each_backend_has_its_own_rules() {
    let plain = backend("plain");
    let mut other = subject(Backend::builder("other").model("other"));
    other.rules = other.rules.headers(HeaderRules {
        remove: vec!["x-old".parse().unwrap()],
        set: vec![("x-new".parse().unwrap(), HeaderValue::from_static("1"))],
    });
    let backends = [plain, other];
    let request = || {
        let request = chat(CHAT).header("x-old", "1").header("x-new", "0");
        request.header("x-new", "00").body(CHAT.into()).unwrap()
    };

    for index in [Some(0), None] {
        let sent = sent(&backends, index, request()).await;
        assert_eq!(sent.body(), CHAT.as_bytes());
        assert!(sent.headers().contains_key("x-old"));
        assert_eq!(sent.headers().get_all("x-new").iter().count(), 2);
    }
    let sent = sent(&backends, Some(1), request()).await;
    assert!(sent.body().starts_with(br#"{"n":1, "model" : "other" ,"#));
    assert!(!sent.headers().contains_key("x-old"));
    let new: Vec<_> = sent.headers().get_all("x-new").iter().collect();
    assert_eq!(new, ["1"]);
}

#[tokio::test]
async fn body_without_a_model_stays_as_it_is() {
    let own = with_model("other");
    for body in ["", "{}", "[]", r#"{"model":7}"#, r#"{"model":"a"#, "model"] {
        let sent = sent(
            std::slice::from_ref(&own),
            Some(0),
            chat(body).body(body.into()).unwrap(),
        )
        .await;
        assert_eq!(sent.body(), body);
        let length = body.len().to_string();
        assert_eq!(sent.headers()[CONTENT_LENGTH], length.as_str());
    }
}

#[tokio::test]
async fn malformed_length_is_removed() {
    let own = with_model("other");
    let length = format!("{}, {0}", CHAT.len());
    let request = Request::post("/")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length);
    let sent = sent(&[own], Some(0), request.body(CHAT.into()).unwrap()).await;
    assert!(!sent.headers().contains_key(CONTENT_LENGTH));
}

fn post(path: &str, kind: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let body = body.into();
    let request = Request::post(path)
        .header(CONTENT_TYPE, kind)
        .header(CONTENT_LENGTH, body.len());
    request.body(Full::from(body)).unwrap()
}

fn in_coding(coding: &str, path: &str, kind: &str, body: &str) -> Request<Full<Bytes>> {
    let mut request = post(path, kind, encoded(coding, body));
    let headers = request.headers_mut();
    headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
    headers.insert("content-digest", HeaderValue::from_static("sha-256=:x:"));
    request
}

fn text(request: &Request<Bytes>) -> &str {
    str::from_utf8(request.body()).unwrap()
}

const V1: &str = "/v1/chat/completions";
const DEPLOYMENT: &str = "/openai/deployments/d%201/chat/completions?api-version=1";
const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data; boundary=xx";

#[tokio::test]
async fn body_in_a_coding_is_sent_decoded_with_another_model() {
    let own = || Backend::builder("b").deployment("mine");
    for coding in CODINGS {
        let sent = sent_or_refused(own(), in_coding(coding, V1, JSON, CHAT))
            .await
            .unwrap();
        let expected = CHAT.replacen("gpt-4o", "mine", 1);
        assert_eq!(text(&sent), expected, "{coding}");
        let length = expected.len().to_string();
        assert_eq!(sent.headers()[CONTENT_LENGTH], length.as_str());
        assert!(!sent.headers().contains_key(CONTENT_ENCODING));
        assert!(!sent.headers().contains_key("content-digest"));

        // Without a length that was announced, there is none.
        let mut request = in_coding(coding, V1, JSON, CHAT);
        request.headers_mut().remove(CONTENT_LENGTH);
        let sent = sent_or_refused(own(), request).await.unwrap();
        assert_eq!(text(&sent), expected);
        assert!(!sent.headers().contains_key(CONTENT_LENGTH));
    }
}

#[tokio::test]
async fn body_in_a_coding_stays_as_it_came_where_nothing_is_replaced() {
    for (coding, body) in [("zstd", CHAT), ("gzip", "{}")] {
        let request = in_coding(coding, V1, JSON, body);
        let backend = match body {
            CHAT => Backend::builder("b"),
            _ => Backend::builder("b").deployment("mine"),
        };
        let sent = sent_or_refused(backend, request).await.unwrap();
        assert_eq!(*sent.body(), encoded(coding, body));
        assert_eq!(sent.headers()[CONTENT_ENCODING], coding);
        assert!(sent.headers().contains_key("content-digest"));
    }
}

#[tokio::test]
async fn model_of_a_form_is_replaced_and_nothing_else() {
    let body = |model: &str| {
        format!(
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\0\r\n\r\n\
             --xx\r\nContent-Disposition: form-data; name=model\r\n\r\n{model}\r\n--xx--\r\n"
        )
    };
    let own = Backend::builder("b").deployment("d").model("my \"own\"");
    let request = post("/v1/audio/transcriptions", FORM, body("whisper-1"));
    let sent = sent_or_refused(own, request).await.unwrap();
    assert_eq!(text(&sent), body("my \"own\""));
    let length = sent.body().len().to_string();
    assert_eq!(sent.headers()[CONTENT_LENGTH], length.as_str());
}

#[tokio::test]
async fn beside_a_deployment_in_the_path_only_a_model_of_its_own_is_replaced() {
    for (backend, expected) in [
        (Backend::builder("b").deployment("mine"), CHAT.to_owned()),
        (
            Backend::builder("b").deployment("mine").model("own"),
            CHAT.replacen("gpt-4o", "own", 1),
        ),
    ] {
        let backend = backend.kind(BackendKind::Azure);
        let sent = sent_or_refused(backend, post(DEPLOYMENT, JSON, CHAT))
            .await
            .unwrap();
        assert_eq!(text(&sent), expected);
        assert!(sent.uri().path().starts_with("/openai/deployments/mine/"));
    }
}

#[tokio::test]
async fn model_that_the_path_named_is_put_into_the_body() {
    let openai = || Backend::builder("b").kind(BackendKind::OpenAi);
    let part = "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nd 1\r\n--xx--";
    for (backend, kind, body, expected) in [
        (openai(), JSON, r#"{"n":1}"#, r#"{"model":"d 1","n":1}"#),
        (
            openai(),
            JSON,
            r#"{"n":1,"model":"x"}"#,
            r#"{"n":1,"model":"d 1"}"#,
        ),
        (
            openai().deployment("mine"),
            JSON,
            "{}",
            r#"{"model":"mine"}"#,
        ),
        (
            openai().deployment("mine").model("own"),
            JSON,
            "{}",
            r#"{"model":"own"}"#,
        ),
        (openai(), FORM, "--xx--", part),
    ] {
        let sent = sent_or_refused(backend.clone(), post(DEPLOYMENT, kind, body))
            .await
            .unwrap();
        assert_eq!(text(&sent), expected);
        assert_eq!(sent.uri().path_and_query().unwrap(), V1);
        let length = expected.len().to_string();
        assert_eq!(sent.headers()[CONTENT_LENGTH], length.as_str());

        let coded = in_coding("zstd", DEPLOYMENT, kind, body);
        let sent = sent_or_refused(backend, coded).await.unwrap();
        assert_eq!(text(&sent), expected);
    }
}

#[tokio::test]
async fn backend_that_would_get_another_model_than_its_own_is_not_asked() {
    let openai = || Backend::builder("b").kind(BackendKind::OpenAi);
    let own = || Backend::builder("b").deployment("mine");
    let unknown = || {
        let mut request = post(V1, JSON, CHAT);
        let compress = HeaderValue::from_static("compress");
        request.headers_mut().insert(CONTENT_ENCODING, compress);
        request
    };
    let mut corrupt = in_coding("gzip", V1, JSON, CHAT);
    *corrupt.body_mut() = Full::from(CHAT);
    let mut get = post(DEPLOYMENT, JSON, "");
    *get.method_mut() = http::Method::GET;
    for (backend, request, expected) in [
        (openai(), post(DEPLOYMENT, "text/plain", "{}"), 415),
        (openai(), post(DEPLOYMENT, JSON, "[]"), 415),
        (openai(), post(DEPLOYMENT, JSON, r#"{"model":7}"#), 415),
        (openai(), get, 415),
        (own(), unknown(), 415),
        (own(), post(V1, "multipart/form-data", "x"), 415),
        (own(), corrupt, 400),
    ] {
        let response = sent_or_refused(backend, request).await.unwrap_err();
        assert_eq!(response.status(), expected);
    }
    let response = sent_or_refused(own(), unknown()).await.unwrap_err();
    assert_eq!(response.headers()["accept-encoding"], Coding::READABLE);
    // A backend without a model of its own may have it.
    let sent = sent_or_refused(Backend::builder("b"), unknown())
        .await
        .unwrap();
    assert_eq!(text(&sent), CHAT);
}

#[tokio::test]
async fn token_is_set_and_a_missing_one_lets_the_request_move_on() {
    let mut subject = backend("b");
    subject.rules = RequestRules::new(&subject.backend).bearer(|| Ok("Bearer t".parse()?));
    let request = || chat(CHAT).header(AUTHORIZATION, "Bearer of-the-client");
    let sent = sent(
        &[subject.clone()],
        Some(0),
        request().body(CHAT.into()).unwrap(),
    )
    .await;
    assert_eq!(sent.headers()[AUTHORIZATION], "Bearer t");

    subject.rules = RequestRules::new(&subject.backend).bearer(|| Err("s3cret endpoint".into()));
    let request = request().body(CHAT.into()).unwrap();
    let response = attempt(&[subject], Some(0), request).await.unwrap_err();
    assert_eq!(response.status(), 502);
    assert!(response.extensions().get::<Declined>().is_none());
}
