//! Tests of the layer over an inner service that answers with a script.

mod body;
mod coded;
mod event_stream;
mod first_token;
mod hold;
mod judge;
mod late;
mod properties;
mod refuse;
mod sse;
mod stack;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use spillover_core::{Attempts, Backend, Pool, Query, Scope, Selected};
use spillover_hint::{Refusal, Report};
use spillover_testing::{Probe, ScriptedBody};
use tokio::time::Instant;
use tower::ServiceExt;
use tower_layer::Layer;

use super::*;

const SSE: &str = "text/event-stream";
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
const GRPC: &str = "application/grpc";

const SECOND: Duration = Duration::from_secs(1);

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";
const PING: &str = ": comment\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
const CONTENT: &str = "event: content_block_delta\ndata: {\"delta\":{\"text\":\"Hi\"}}\n\n";
const OVERLOADED: &str = concat!(
    "event: error\n",
    r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    "\n\n",
);

/// Returns a request such as those for generated content.
fn post() -> Request<()> {
    Request::post("/").body(()).expect("a request")
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        let name = http::HeaderName::from_static(name);
        (name, value.parse().expect("a value"))
    };
    fields.iter().map(field).collect()
}

fn respond(content_type: &'static str, body: ScriptedBody) -> Response<ScriptedBody> {
    let response = Response::builder().header("content-type", content_type);
    response.body(body).expect("a head")
}

/// Returns the response of the layer when the inner service answers the request with `response`.
async fn peek_at(
    layer: StreamPeekLayer,
    request: Request<()>,
    response: Response<ScriptedBody>,
) -> Response<PeekedBody<ScriptedBody>> {
    let mut response = Some(response);
    let probe = Probe::new(move |_| {
        let response = response.take().expect("one request");
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let Ok(response) = layer.layer(probe).oneshot(request).await;
    response
}

async fn peek(
    content_type: &'static str,
    body: ScriptedBody,
) -> Response<PeekedBody<ScriptedBody>> {
    let response = respond(content_type, body);
    peek_at(StreamPeekLayer::new(), post(), response).await
}

fn chunks<T: Into<Bytes>>(chunks: impl IntoIterator<Item = T>) -> ScriptedBody {
    chunks.into_iter().fold(ScriptedBody::new(), |body, chunk| {
        body.data(chunk).pending()
    })
}

fn refusal<B>(response: &Response<B>) -> Option<Refusal> {
    response.extensions().get::<Report>().map(Report::refusal)
}

async fn bytes<B: Body<Data = Bytes, Error: std::fmt::Debug>>(response: Response<B>) -> Bytes {
    let body = response.into_body().collect().await;
    body.expect("a whole body").to_bytes()
}

fn pool() -> Pool {
    let backend = Backend::builder("a").url("http://a.example");
    Pool::new([backend.build().expect("a backend")]).expect("a pool")
}

fn select(pool: &Pool) -> Selected {
    pool.select(&Query::new(), Instant::now(), 0)
        .expect("it is open")
}

/// Encodes a message of an AWS event stream with text headers.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in headers {
        fields.push(name.len() as u8);
        fields.extend(name.as_bytes());
        fields.push(7);
        fields.extend((value.len() as u16).to_be_bytes());
        fields.extend(value.as_bytes());
    }
    framed(&fields, payload)
}

fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = 16 + headers.len() + payload.len();
    let mut message = (len as u32).to_be_bytes().to_vec();
    message.extend((headers.len() as u32).to_be_bytes());
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(headers);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, payload.as_bytes())
}

fn exception(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, payload.as_bytes())
}
