//! The layer over a service that keeps what it is sent, below the one that finds the model.

use std::sync::{Arc, Mutex};

use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use spillover_core::{Affinity, Backend, Pool, Query, Weighted};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use super::*;
use crate::model_scope::{ModelScopeLayer, Wanted};

fn backend(label: &str) -> BackendConfig {
    let backend = Backend::builder(label).url("https://upstream.example");
    BackendConfig::from(backend.build().unwrap())
}

/// Sends a request to the backend at `index`, where there is one; what that got.
async fn sent(
    backends: &[BackendConfig],
    index: Option<usize>,
    request: Request<Full<Bytes>>,
) -> Request<Bytes> {
    let pool = Pool::new(backends.iter().map(|config| config.backend.clone())).unwrap();
    let selected = index.map(|index| {
        let label = backends[index].backend.label();
        let query = Query::new().affinity(Affinity::to(label));
        let selected = pool.select_by(&Weighted::default(), &query, Instant::now(), 0);
        selected.unwrap()
    });
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let inner: Probe<_, Full<Bytes>, Infallible> = Probe::new(move |request: Request<_>| {
        let keep = Arc::clone(&keep);
        async move {
            let (head, body) = request.into_parts();
            let Ok(body) = BodyExt::collect(body).await;
            *keep.lock().unwrap() = Some(Request::from_parts(head, body.to_bytes()));
            Ok(Response::default())
        }
    });
    let service = ServiceBuilder::new()
        .layer(ModelScopeLayer::new(Wanted::new([], false, true)))
        .map_request(move |mut request: Request<_>| {
            if let Some(selected) = &selected {
                request.extensions_mut().insert(selected.clone());
            }
            request
        })
        .layer(RulesLayer::new(backends, None))
        .service(inner);
    let Ok(response) = service.oneshot(request).await;
    assert_eq!(response.status(), 200);
    kept.lock().unwrap().take().unwrap()
}

fn chat(body: &'static str) -> http::request::Builder {
    Request::post("/v1/chat/completions")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
}

const CHAT: &str = r#"{"n":1, "model" : "gpt-4o" ,"é":"\"model\":\"gpt-4o\""}"#;

#[tokio::test]
async fn the_model_is_replaced_and_nothing_else() {
    let mut own = backend("own");
    own.model = Some("o\"é".into());
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
    let (plain, mut other) = (backend("plain"), backend("other"));
    other.model = Some("other".into());
    other.request_headers.remove.push("x-old".parse().unwrap());
    let new = ("x-new".parse().unwrap(), HeaderValue::from_static("1"));
    other.request_headers.set.push(new);
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
async fn a_body_without_a_model_stays_as_it_is() {
    let mut own = backend("own");
    own.model = Some("other".into());
    for body in ["", "{}", "[]", r#"{"model":7}"#, r#"{"model":"a"#, "model"] {
        let sent = sent(
            &[own.clone()],
            Some(0),
            chat(body).body(body.into()).unwrap(),
        )
        .await;
        assert_eq!(sent.body(), body);
        let length = body.len().to_string();
        assert_eq!(sent.headers()[CONTENT_LENGTH], length.as_str());
    }
    let compressed = r#"{"model":"gpt-4o"}"#;
    let request = chat(compressed).header("content-encoding", "br");
    let sent = sent(&[own], Some(0), request.body(compressed.into()).unwrap()).await;
    assert_eq!(sent.body(), compressed);
}

#[tokio::test]
async fn a_length_that_is_not_understood_is_left_to_the_body() {
    let mut own = backend("own");
    own.model = Some("other".into());
    let length = format!("{}, {0}", CHAT.len());
    let request = Request::post("/")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length);
    let sent = sent(&[own], Some(0), request.body(CHAT.into()).unwrap()).await;
    assert!(!sent.headers().contains_key(CONTENT_LENGTH));
}
