//! The scope of a request.

use super::*;

fn request(path: &str, scope: Option<&str>) -> Request<()> {
    let mut request = Request::post(path).body(()).unwrap();
    if let Some(scope) = scope {
        request.extensions_mut().insert(Scope::named(scope));
    }
    request
}

/// Returns true if the request is served while this scope is throttled.
async fn is_served(throttled: Scope, request: Request<()>) -> bool {
    let pool = pool([("a", 1)]);
    let now = Instant::now();
    let selected = pool.select(&Query::new().scope(throttled), now, 0).unwrap();
    selected.record(&Outcome::throttled(SECOND), now);
    let layer = PrioritySelectLayer::new(pool).when_exhausted(WhenExhausted::Reject);
    let response = layer.layer(labels()).oneshot(request).await.unwrap();
    response.status() == 200
}

#[tokio::test(start_paused = true)]
async fn deployment_in_the_path_is_the_scope() {
    let throttled = Scope::named("large");
    let path = |name: &str| format!("/openai/deployments/{name}/chat/completions?api-version=1");
    assert!(!is_served(throttled, request(&path("large"), None)).await);
    assert!(is_served(throttled, request(&path("small"), None)).await);
    assert!(is_served(throttled, request("/v1/chat/completions", None)).await);
}

#[tokio::test(start_paused = true)]
async fn scope_in_the_extensions_takes_precedence_over_the_path() {
    let path = "/openai/deployments/large/chat/completions";
    assert!(is_served(Scope::named("large"), request(path, Some("small"))).await);
    assert!(!is_served(Scope::named("small"), request(path, Some("small"))).await);
}

#[tokio::test(start_paused = true)]
async fn throttle_of_the_whole_backend_applies_to_all_scopes() {
    let path = "/openai/deployments/large/chat/completions";
    assert!(!is_served(Scope::BACKEND, request(path, None)).await);
    assert!(!is_served(Scope::BACKEND, request("/v1/models", Some("any"))).await);
}
