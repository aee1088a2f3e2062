//! The whole stack on one screen.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response},
    routing::{any, any_service},
};
use http::request::Parts;
use hyper_util::client::legacy::connect::Connect;
use spillover_core::{Class, Exhausted, Pool, Selected};
use tower::{ServiceBuilder, retry::budget::TpsBudget};
use tower_spillover::{
    select::WhenExhausted,
    stack::{SpilloverBody, SpilloverLayer},
};

use crate::{
    access_log::AccessLogLayer,
    client::client,
    dialect::{self, Dialect, ErrorKind, GatewayError},
    hop_by_hop,
    model_scope::ModelScopeLayer,
    upstream::Upstream,
};

/// What the stack is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The backends.
    pub pool: Pool,
    /// How long an attempt may take to its response head.
    pub http_timeout: std::time::Duration,
    /// What becomes of a request that finds every backend throttled.
    pub when_exhausted: WhenExhausted,
    /// Whether responses name the URL of their backend.
    pub expose_backend_url: bool,
}

/// The gateway as a service, over connections that `connector` makes. It needs the runtime that it is made in.
pub fn app<C>(settings: Settings, connector: C) -> Router
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let expose_url = settings.expose_backend_url;
    let when_exhausted = settings.when_exhausted;
    let proxy = ServiceBuilder::new()
        .layer(AccessLogLayer::new())
        .map_response(move |response| name_backend(response, expose_url))
        .map_request(hop_by_hop::strip_request)
        .map_response(hop_by_hop::strip_response)
        .map_response(dialect::render)
        .layer(ModelScopeLayer)
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(
            SpilloverLayer::new(settings.pool)
                .retry(|retry| retry.sdk_retry_budget(TpsBudget::default()))
                .select(|select| {
                    let select = select.when_exhausted(when_exhausted);
                    select.with_exhausted_response(all_closed::<SpilloverBody<Body>>)
                }),
        )
        .service(Upstream::new(client(connector), settings.http_timeout));

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

/// Says to a client what keeps the backend closed that opens first, in the words of that backend.
fn all_closed<B: From<Bytes>>(exhausted: &Exhausted, request: &Parts) -> Response<B> {
    let cause = exhausted.cause();
    let is_quota = cause.is_some_and(|cause| cause.class() == Class::Quota);
    let (kind, what) = if is_quota {
        (ErrorKind::Quota, "The quota of every backend is used up.")
    } else if cause.is_none() {
        (ErrorKind::RateLimit, "Every backend is busy.")
    } else {
        (ErrorKind::RateLimit, "Every backend is at its rate limit.")
    };
    let wait = exhausted.reopens_in();
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let mut message = format!("{what} Please retry after {seconds} seconds.");
    if let Some(said) = cause.and_then(|cause| cause.message()) {
        message.push_str(" The backend said: ");
        message.push_str(said);
    }

    let dialect = Dialect::of(&request.uri, &request.headers);
    dialect.response(&GatewayError { kind, message })
}

async fn not_allowed(request: http::Request<Body>) -> Response<Body> {
    Dialect::of(request.uri(), request.headers()).response(&GatewayError {
        kind: ErrorKind::MethodNotAllowed,
        message: "CONNECT and TRACE are not proxied.".into(),
    })
}

const X_SPILLOVER_BACKEND: HeaderName = HeaderName::from_static("x-spillover-backend");
const X_OPENAI_BACKENDURL: HeaderName = HeaderName::from_static("x-openai-backendurl");
