//! Tests of the layer over a service whose responses have the extensions of the stack.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use spillover_core::{
    Attempts, Backend, Class, Cooldown, Outcome, Pool, Query, Scope, Selected,
    layer::AttemptsProtocol,
};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use super::{BackendFields, FinalResponseLayer};
use crate::HeaderRules;

const SECRET: &str = "Incorrect API key provided: sk-of-the-gateway";

/// Returns a pool of two backends, of which the second is throttled for 5 s.
fn pool() -> Pool {
    let backend = |label: &str| Backend::builder(label).url("http://upstream.example");
    let pool = Pool::new([
        backend("a").build().unwrap(),
        backend("b").priority(2).build().unwrap(),
    ]);
    pool.unwrap()
}

fn layer(pool: &Pool) -> FinalResponseLayer {
    FinalResponseLayer::new(pool.backends().map(BackendFields::new))
}

fn select(pool: &Pool, tried: &Attempts) -> Selected {
    let query = Query::new().attempts(tried).scope(Scope::BACKEND);
    let selected = pool.select(&query, Instant::now(), 0);
    selected.unwrap()
}

/// Returns the response to a request with one refusal for each of `classes`, the last one with `status`.
async fn answer(path: &str, status: u16, classes: &[Class]) -> Response<Full<Bytes>> {
    let (pool, tried) = (pool(), Attempts::new());
    let layer = layer(&pool);
    let mut last = None;
    for class in classes {
        let selected = select(&pool, &tried);
        tried.mark(selected.index());
        tried.record_refusal(*class);
        let cooldown = Cooldown::new(Duration::from_secs(5), None);
        let outcome = Outcome::new(*class, cooldown);
        selected.record(&outcome, Instant::now());
        last = Some((selected, outcome));
    }
    let inner = Probe::new(move |_: Request<()>| {
        let (selected, outcome) = last.clone().unwrap();
        let response = Response::builder()
            .status(status)
            .header("x-of-the-backend", "1")
            .extension(selected)
            .extension(outcome)
            .extension(tried.clone());
        let response = response.body(Full::from(SECRET)).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let service = ServiceBuilder::new().layer(layer).service(inner);
    let Ok(response) = service.oneshot(Request::post(path).body(()).unwrap()).await;
    response
}

async fn text(response: Response<Full<Bytes>>) -> String {
    let Ok(body) = response.into_body().collect().await;
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn mixed_refusals_become_a_429_with_the_wait_of_the_pool() {
    let mixed = [
        (401, [Class::Throttled, Class::Credential]),
        (402, [Class::Throttled, Class::Quota]),
        (500, [Class::Throttled, Class::Failing]),
        (503, [Class::Throttled, Class::Capacity]),
        (529, [Class::Credential, Class::Capacity]),
        (413, [Class::Capacity, Class::TooLarge]),
    ];
    for (status, classes) in mixed {
        let response = answer("/v1/messages", status, &classes).await;
        assert_eq!(response.status(), 429, "{classes:?}");
        assert!(
            response.headers().contains_key("retry-after"),
            "{classes:?}"
        );
        assert_eq!(response.headers()["x-should-retry"], "true", "{classes:?}");
        assert!(!response.headers().contains_key("x-of-the-backend"));
        assert!(response.extensions().get::<Selected>().is_some());
        let body = text(response).await;
        assert!(body.contains("rate_limit_error"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_of_one_kind_pass_unchanged() {
    for (status, class) in [
        (429, Class::Throttled),
        (529, Class::Capacity),
        (500, Class::Failing),
        (413, Class::TooLarge),
    ] {
        let response = answer("/v1/chat/completions", status, &[class, class]).await;
        assert_eq!(response.status(), status);
        assert_eq!(text(response).await, SECRET);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_after_other_refusals_passes_unchanged() {
    let classes = [Class::Credential, Class::Throttled];
    let response = answer("/v1/chat/completions", 429, &classes).await;
    assert_eq!(text(response).await, SECRET);
}

#[tokio::test(start_paused = true)]
async fn refused_credential_keeps_its_status_and_gets_a_new_body() {
    for status in [401, 403] {
        let response = answer("/v1/chat/completions", status, &[Class::Credential]).await;
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("x-of-the-backend"));
        let body = text(response).await;
        assert!(
            !body.contains("sk-") && body.contains("upstream_credential"),
            "{body}"
        );
    }
}

/// Returns the response to a request that the second backend refuses with `class`, while `first` closes the first one.
async fn answer_beside(first: Class, class: Class) -> Response<Full<Bytes>> {
    let (pool, now) = (pool(), Instant::now());
    let refusal = |class| Outcome::new(class, Cooldown::new(Duration::from_secs(5), None));
    select(&pool, &Attempts::new()).record(&refusal(first), now);
    let selected = select(&pool, &Attempts::new());
    assert_eq!(selected.backend().label(), "b");
    let (tried, outcome) = (Attempts::new(), refusal(class));
    tried.mark(selected.index());
    tried.record_refusal(class);
    selected.record(&outcome, now);
    let inner = Probe::new(move |_: Request<()>| {
        let response = Response::builder()
            .status(401)
            .extension(selected.clone())
            .extension(outcome.clone())
            .extension(tried.clone());
        let response = response.body(Full::from(SECRET)).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let layer = layer(&pool);
    let service = ServiceBuilder::new().layer(layer).service(inner);
    let request = Request::post("/v1/messages").body(()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    response
}

#[tokio::test(start_paused = true)]
async fn refused_account_is_a_429_while_another_backend_is_at_its_limit() {
    for first in [Class::Throttled, Class::Capacity] {
        for class in [Class::Credential, Class::Quota] {
            let response = answer_beside(first, class).await;
            assert_eq!(response.status(), 429, "{first:?} {class:?}");
            assert_eq!(response.headers()["retry-after"], "5");
        }
    }
    for first in [Class::Credential, Class::Failing] {
        let response = answer_beside(first, Class::Credential).await;
        assert_eq!(response.status(), 401, "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn used_up_quota_keeps_its_status_and_gets_a_new_body() {
    for status in [402, 429] {
        let response = answer("/v1/chat/completions", status, &[Class::Quota]).await;
        assert_eq!(response.status(), status);
        let body = text(response).await;
        assert!(
            !body.contains("sk-") && body.contains("insufficient_quota"),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn response_that_is_no_refusal_passes_unchanged() {
    for (status, class) in [(200, Class::Success), (400, Class::ClientError)] {
        let response = answer("/v1/chat/completions", status, &[class]).await;
        assert_eq!(response.status(), status);
        assert_eq!(text(response).await, SECRET);
    }
}

#[tokio::test(start_paused = true)]
async fn responses_get_the_fields_of_their_backend_and_of_the_layer() {
    let set = |name: &str, value: &str| HeaderRules {
        set: vec![(name.parse().unwrap(), value.parse().unwrap())],
        remove: vec!["x-of-the-backend".parse().unwrap()],
    };
    let pool = pool();
    let fields = pool.backends().map(|backend| {
        let fields = BackendFields::new(backend).expose_url(backend);
        fields.rules(set("x-region", backend.label()))
    });
    let layer = FinalResponseLayer::new(fields).rules(set("x-served-by", "spillover"));
    for selected in [Some(select(&pool, &Attempts::new())), None] {
        let chosen = selected.clone();
        let inner = Probe::new(move |_: Request<()>| {
            let mut response = Response::builder().header("x-of-the-backend", "1");
            if let Some(selected) = chosen.clone() {
                response = response.extension(selected);
            }
            let response = response.body(Full::<Bytes>::default()).unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        let service = ServiceBuilder::new().layer(layer.clone()).service(inner);
        let Ok(response) = service.oneshot(Request::new(())).await;
        let headers = response.headers();
        assert_eq!(headers["x-served-by"], "spillover");
        assert!(!headers.contains_key("x-of-the-backend"));
        for (name, value) in [
            ("x-spillover-backend", "a"),
            ("x-openai-backendurl", "http://upstream.example"),
            ("x-region", "a"),
        ] {
            let expected = selected.as_ref().map(|_| value);
            let value = headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value, expected, "{name}");
        }
    }
}
