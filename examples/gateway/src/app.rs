//! The whole stack on one screen.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode},
    routing::{any, any_service},
};
use http::request::Parts;
use spillover_core::{Exhausted, Pool, Selected};
use tower::ServiceBuilder;
use tower_spillover::{
    retry::RetryThrottledLayer,
    rewrite::RewriteRequestLayer,
    select::{PrioritySelectLayer, WhenExhausted},
    throttle::ThrottleTrackerLayer,
};

use crate::{
    access_log::AccessLogLayer,
    client::Client,
    error_body::{ErrorBody, error_response},
    hop_by_hop,
    upstream::Upstream,
};

/// What the stack is set up with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) pool: Pool,
    pub(crate) http_timeout: std::time::Duration,
    pub(crate) when_exhausted: WhenExhausted,
    pub(crate) expose_backend_url: bool,
}

pub(crate) fn app(settings: Settings, client: Client) -> Router {
    let expose_url = settings.expose_backend_url;
    let proxy = ServiceBuilder::new()
        .layer(AccessLogLayer::new())
        .map_response(move |response| name_backend(response, expose_url))
        .map_request(hop_by_hop::strip_request)
        .map_response(hop_by_hop::strip_response)
        .layer(RetryThrottledLayer::new())
        .layer(
            PrioritySelectLayer::new(settings.pool)
                .when_exhausted(settings.when_exhausted)
                .with_exhausted_response(all_throttled),
        )
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(Upstream::new(client, settings.http_timeout));

    // CONNECT names an authority and no resource; TRACE would show a client the credential of the backend (RFC 9110
    // sections 9.3.6 and 9.3.8).
    let proxy = any_service(proxy).connect(not_allowed).trace(not_allowed);
    Router::new()
        .route("/healthz", any(|| async { "ok\n" }))
        .fallback_service(proxy)
}

/// Says in the response which backend gave it.
fn name_backend(mut response: Response<Body>, expose_url: bool) -> Response<Body> {
    let Some(selected) = response.extensions().get::<Selected>().cloned() else {
        return response;
    };
    let headers = response.headers_mut();
    let mut name = |field, value| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(field, value);
        }
    };
    name(X_SPILLOVER_BACKEND, selected.backend().label());
    if expose_url {
        name(X_OPENAI_BACKENDURL, selected.backend().url());
    }
    response
}

fn all_throttled(exhausted: &Exhausted, _: &Parts) -> Response<Body> {
    let seconds = exhausted.reopens_in().as_secs_f64().ceil().max(1.0);
    error_response(
        StatusCode::TOO_MANY_REQUESTS,
        &ErrorBody {
            kind: "rate_limit_exceeded",
            code: "rate_limit_exceeded",
            message: format!(
                "All backends are at their rate limit. Please retry after {seconds} seconds."
            ),
        },
    )
}

async fn not_allowed() -> Response<Body> {
    error_response(
        StatusCode::METHOD_NOT_ALLOWED,
        &ErrorBody {
            kind: "invalid_request_error",
            code: "method_not_allowed",
            message: "CONNECT and TRACE are not proxied.".into(),
        },
    )
}

const X_SPILLOVER_BACKEND: HeaderName = HeaderName::from_static("x-spillover-backend");
const X_OPENAI_BACKENDURL: HeaderName = HeaderName::from_static("x-openai-backendurl");
