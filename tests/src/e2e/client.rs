//! An HTTP client without retries, redirects or extra headers.

use std::{convert::Infallible, net::SocketAddr};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use super::soon;

/// A client with a pool of connections to one server.
#[derive(Clone, Debug)]
pub struct Client {
    server: SocketAddr,
    inner: legacy::Client<HttpConnector, Body>,
}

impl Client {
    /// Creates a client that speaks HTTP/1.1.
    pub fn http1(server: SocketAddr) -> Self {
        Self::new(server, &legacy::Client::builder(TokioExecutor::new()))
    }

    /// Creates a client that speaks HTTP/2 with prior knowledge over one connection.
    pub fn http2(server: SocketAddr) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        Self::new(server, builder.http2_only(true))
    }

    fn new(server: SocketAddr, builder: &legacy::Builder) -> Self {
        Self {
            server,
            inner: builder.build_http(),
        }
    }

    /// Sends a GET for `path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, Body::empty())).await
    }

    /// Sends `body` to `path`.
    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request("POST", path, body)).await
    }

    /// Sends a request whose URI is a path, and reads the whole answer.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.open(request).await.into_parts();
        let body = soon(body.collect()).await.expect("the whole body");
        Answer {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            trailers: body.trailers().cloned(),
            body: body.to_bytes(),
        }
    }

    /// Sends a request whose URI is a path, and reads the head of the answer.
    pub async fn open(&self, mut request: Request<Body>) -> Response<Incoming> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.server.to_string())
            .path_and_query(request.uri().to_string());
        *request.uri_mut() = uri.build().expect("the URI is a path");
        soon(self.inner.request(request)).await.expect("an answer")
    }
}

/// Returns a request with a body and no header.
pub fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(body.into()).expect("a method and a path")
}

/// Returns a POST of JSON.
pub fn json(path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request("POST", path, body);
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    request
}

/// Adds a header field to a request.
pub fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    let value = value.parse().expect("a header value");
    request.headers_mut().append(name, value);
    request
}

/// Returns a body of unknown length that comes in chunks.
pub fn chunked(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Body {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
    Body::from_stream(stream::iter(chunks as Vec<Result<Bytes, Infallible>>))
}

/// A whole answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The trailers.
    pub trailers: Option<HeaderMap>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Returns the only header of this name, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} comes more than once");
        Some(value.to_str().expect("a header of ASCII"))
    }

    /// Returns the label of the backend that answered; empty if the gateway answered itself.
    pub fn backend(&self) -> &str {
        self.header("x-spillover-backend").unwrap_or_default()
    }

    /// Returns the body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// Returns the error object in the body, in the format of the OpenAI API.
    pub fn error(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let error = self.json()["error"].take();
        for field in ["message", "type", "code"] {
            assert!(error[field].is_string(), "{field} of {error}");
        }
        error
    }
}
