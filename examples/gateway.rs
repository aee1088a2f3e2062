//! A gateway of axum, tower-http and the single layers of tower-spillover, as a template for your own.
//!
//! ```sh
//! export BACKEND_PTU_URL=https://my-ptu.openai.azure.com BACKEND_PTU_PRIORITY=1 BACKEND_PTU_APIKEY=...
//! cargo run -p spillover-examples --bin gateway
//! ```
//!
//! `BACKEND_<label>_AUTH` (`key`, `bearer`, or `passthrough` of the client's own credentials) and `_DEPLOYMENT_NAME` are optional.
//! So are `HTTP_TIMEOUT_SECONDS` for each attempt (100), `CORS_ORIGIN`, `LISTEN` (127.0.0.1:8080) and `SSL_CERT_FILE`.

use std::{collections::BTreeMap, env, error::Error, io, iter, process::ExitCode, time::Duration};

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing, serve::ListenerExt};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::LengthLimitError;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tokio::{net::TcpListener, signal::ctrl_c, signal::unix};
use tower::{BoxError, ServiceBuilder, util::option_layer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer, limit::RequestBodyLimitLayer};
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
use tower_spillover::{Attempts, Backend, Credential, Pool, Selected, ServiceBuilderExt};

fn app(pool: Pool, timeout: Duration) -> io::Result<Router> {
    let mut tcp = legacy::connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new().with_native_roots()?;
    let tls = tls.https_or_http().enable_all_versions();
    let client = legacy::Client::builder(TokioExecutor::new()).build(tls.wrap_connector(tcp));

    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, timeout);
    // Each method adds a layer with its defaults, e.g. `.layer(RetryThrottledLayer::new())`.
    let proxy = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(answer_error))
        .map_request(|mut request: Request<Body>| {
            remove_hop_by_hop(request.headers_mut());
            // The connection to the backend does not have the HTTP version of the request.
            *request.version_mut() = Version::HTTP_11;
            request
        })
        .map_response(name_backend)
        // Sends a request that a backend refuses (429, 5xx, no answer) to the next one, at once.
        .retry_throttled()
        // Selects the open backend with the best priority.
        .priority_select(pool)
        // Sets the URL, the credential and the deployment of that backend.
        .rewrite_request()
        // Closes a backend that refuses, e.g. for as long as its `retry-after` says. Counts requests in flight.
        .throttle_tracker()
        // Reads the body of a refusal: an exhausted quota closes a backend for longer than a rate limit.
        .read_refusal()
        // Holds a stream until its first content: an error before that counts as a refusal.
        .stream_peek()
        // Limits each attempt, including the upload of the client.
        .layer(timeout)
        .map_response(|response: Response<_>| response.map(Body::new))
        .service(client);
    // TRACE would show a client the key of the backend (RFC 9110 section 9.3.8).
    let refuse = async || StatusCode::METHOD_NOT_ALLOWED;
    let proxy = routing::any_service(proxy).trace(refuse).connect(refuse);

    let origin = env::var("CORS_ORIGIN").ok().and_then(|it| it.parse().ok());
    let cors = origin.map(|origin: HeaderValue| CorsLayer::very_permissive().allow_origin(origin));
    let trace = TraceLayer::new_for_http().make_span_with(request_span);
    let secrets = SetSensitiveRequestHeadersLayer::new(Credential::CLIENT_FIELDS);
    let layers = ServiceBuilder::new()
        .layer(secrets)
        // Uses the request id of the client, or creates one. Backends get it too.
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(trace.on_request(()).on_response(log_request).on_failure(()))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(CatchPanicLayer::new())
        // Answers every `OPTIONS` request itself, so that it is added only if an origin is configured.
        .layer(option_layer(cors))
        .layer(RequestBodyLimitLayer::new(64 << 20));
    let router = Router::new().route("/healthz", routing::any(async || "ok"));
    Ok(router.fallback_service(proxy).layer(layers))
}

fn name_backend<B>(mut response: Response<B>) -> Response<B> {
    remove_hop_by_hop(response.headers_mut());
    let selected = response.extensions().get::<Selected>();
    let label = selected.map(|selected| HeaderValue::from_str(selected.backend().label()));
    if let Some(Ok(label)) = label {
        response.headers_mut().insert("x-spillover-backend", label);
    }
    response
}

/// Removes the fields of a single connection, and those that `connection` names (RFC 9110 section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let mut names = String::from("connection,expect,keep-alive,te,transfer-encoding,upgrade");
    names += ",proxy-authenticate,proxy-authorization,proxy-connection";
    for value in headers.get_all("connection") {
        names = names + "," + value.to_str().unwrap_or_default();
    }
    for name in names.split(',') {
        headers.remove(name.trim());
    }
}

/// Returns the response when every backend failed without one. The error can name hosts, so it is only logged.
async fn answer_error(error: legacy::Error) -> (StatusCode, &'static str) {
    tracing::warn!(?error, "no backend answered");
    match iter::successors(error.source(), |&cause| cause.source()).last() {
        Some(it) if it.is::<LengthLimitError>() => (StatusCode::PAYLOAD_TOO_LARGE, "too long\n"),
        _ => (StatusCode::BAD_GATEWAY, "no backend could be reached\n"),
    }
}

/// Returns the context of each line in the log, without the query, which can have a key.
fn request_span<B>(request: &Request<B>) -> tracing::Span {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok());
    tracing::info_span!("request", method, path, id)
}

fn log_request<B>(response: &Response<B>, latency: Duration, _: &tracing::Span) {
    let selected = response.extensions().get::<Selected>();
    let backend = selected.map(|selected| selected.backend().label());
    // The response of a first attempt has no `Attempts`.
    let attempts = backend.map(|_| response.extensions().get().map_or(1, Attempts::count));
    let (status, duration_ms) = (response.status().as_u16(), latency.as_millis() as u64);
    tracing::info!(status, backend, attempts, duration_ms, "request");
}

/// Builds the backends. An error names a variable and its expected value.
fn read_pool(mut vars: BTreeMap<String, String>) -> Result<Pool, String> {
    let label = |n: &String| Some(n.strip_prefix("BACKEND_")?.strip_suffix("_URL")?.to_owned());
    let mut backends = Vec::new();
    while let Some(label) = vars.keys().find_map(label) {
        let name = |key| format!("BACKEND_{label}_{key}");
        let wrong = |key, expected: &str| name(key) + ": expected " + expected;
        let mut take = |key| vars.remove(&name(key)).unwrap_or_default();
        let (url, deployment) = (take("URL"), take("DEPLOYMENT_NAME"));
        let priority = take("PRIORITY").parse();
        let credential = match (&*take("AUTH").to_ascii_lowercase(), &*take("APIKEY")) {
            ("passthrough", "") => None,
            ("", key) if url.starts_with("https://api.openai.com") => Some(Credential::bearer(key)),
            ("bearer", key) => Some(Credential::bearer(key)),
            ("key" | "", key) => Some(Credential::api_key(key)),
            _ => return Err(wrong("AUTH", "key, bearer, or passthrough and no APIKEY")),
        };
        let mut backend = Backend::builder(label.to_ascii_lowercase()).url(url);
        backend = backend.priority(priority.map_err(|_| wrong("PRIORITY", "a whole number"))?);
        if let Some(it) = credential {
            backend = backend.credential(it.map_err(|it| wrong("APIKEY", it.expected()))?);
        }
        if !deployment.is_empty() {
            backend = backend.deployment(deployment);
        }
        backends.push(backend.build().map_err(|error| match error.field() {
            "deployment" => wrong("DEPLOYMENT_NAME", error.expected()),
            _ => wrong("URL", error.expected()),
        })?);
    }
    match vars.keys().find(|name| name.starts_with("BACKEND_")) {
        Some(name) => Err(format!("{name}: expected a key of a backend with a URL")),
        None => Pool::new(backends).map_err(|error| format!("BACKEND_<LABEL>_URL: {error}")),
    }
}

async fn serve() -> Result<(), BoxError> {
    let text = |it: std::ffi::OsString| it.to_string_lossy().trim().to_owned();
    let vars = env::vars_os().map(|(name, value)| (text(name).to_ascii_uppercase(), text(value)));
    let mut vars: BTreeMap<_, _> = vars.collect();
    let listen = vars.remove("LISTEN").unwrap_or("127.0.0.1:8080".into());
    let seconds = vars.remove("HTTP_TIMEOUT_SECONDS").unwrap_or("100".into());
    let timeout = Duration::try_from_secs_f64(seconds.parse().unwrap_or(f64::NAN));
    let timeout = timeout.map_err(|_| "HTTP_TIMEOUT_SECONDS: expected a number of seconds")?;
    let app = app(read_pool(vars)?, timeout)?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("LISTEN: expected a free address: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let tcp = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = ctrl_c() => {} }
    };
    Ok(axum::serve(tcp, app).with_graceful_shutdown(stop).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt().json().flatten_event(true);
    let log = log.with_env_filter(filter.unwrap_or_else(|_| "info".into()));
    log.with_span_list(false).with_writer(io::stderr).init();
    let Err(error) = serve().await else {
        return ExitCode::SUCCESS;
    };
    eprintln!("gateway: {error}");
    ExitCode::from(2)
}
