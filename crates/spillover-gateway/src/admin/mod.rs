//! The admin listener: liveness, readiness, status and metrics for operators.

mod metrics;
mod status;
#[cfg(test)]
mod tests;

use std::io;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use spillover_serve::reload::ReloadStatus;
use tokio::{net::TcpListener, time::Instant};

use self::{metrics::Format, status::Status};
use crate::app::App;

/// The parts of the gateway that the admin listener reports on.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) app: App,
    pub(crate) reload: ReloadStatus,
    pub(crate) started: Instant,
}

/// Serves the admin endpoints until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, admin: Admin) -> io::Result<()> {
    axum::serve(listener, router(admin)).await
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    match admin.app.health().readiness(Instant::now()) {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    Json(Status::of(&admin, Instant::now()))
}

async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let format = Format::of_request(&headers);
    let text = metrics::encode(&admin, format, Instant::now());
    ([(CONTENT_TYPE, format.content_type())], text).into_response()
}
