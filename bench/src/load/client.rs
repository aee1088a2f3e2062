//! The HTTP clients of the load generator.

use std::io;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::peer::LISTEN;

pub(super) type Body = Full<Bytes>;

/// Returns a client with a pool of connections, one per concurrent request.
pub(super) fn pooled() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Opens one connection.
pub(super) async fn connect() -> io::Result<http1::SendRequest<Body>> {
    let stream = TokioIo::new(TcpStream::connect(LISTEN).await?);
    let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens one connection over TLS.
pub(super) async fn connect_tls(connector: &TlsConnector) -> io::Result<http1::SendRequest<Body>> {
    let stream = TcpStream::connect(LISTEN).await?;
    stream.set_nodelay(true)?;
    let stream = connector.connect(LISTEN.ip().into(), stream).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens one HTTP/2 connection with prior knowledge.
pub(super) async fn connect_http2() -> io::Result<http2::SendRequest<Body>> {
    let stream = TcpStream::connect(LISTEN).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Returns a POST with its URL in absolute form, as the pooled client and HTTP/2 need it.
pub(super) fn post(path: &str, body: Bytes) -> io::Result<Request<Body>> {
    let builder = Request::post(format!("http://{LISTEN}{path}"));
    finish(builder, body)
}

/// Returns a POST with the path alone, as HTTP/1.1 sends it.
pub(super) fn post_to_origin(path: &str, body: Bytes) -> io::Result<Request<Body>> {
    let builder = Request::post(path).header("host", LISTEN.to_string());
    finish(builder, body)
}

/// Returns true if a response is a success and complete.
pub(super) async fn is_complete(response: Response<Incoming>) -> bool {
    let is_success = response.status().is_success();
    response.into_body().collect().await.is_ok() && is_success
}

fn finish(builder: http::request::Builder, body: Bytes) -> io::Result<Request<Body>> {
    builder
        .header("content-type", "application/json")
        .header("authorization", "Bearer bench")
        .body(Full::new(body))
        .map_err(io::Error::other)
}
