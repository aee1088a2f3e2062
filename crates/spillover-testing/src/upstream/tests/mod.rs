mod behavior;
mod broken;
mod chat;
mod early;
mod lifecycle;
mod limit;
mod provider;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::*;
use crate::ScriptedBody;

/// A client of the upstream. Each test has its own connections.
struct Caller {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Caller {
    fn new(upstream: &MockUpstream) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            base: upstream.url(),
        }
    }

    fn http2(upstream: &MockUpstream) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http(),
            base: upstream.url(),
        }
    }

    async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.send(path, body).await.unwrap();
        answer(response).await
    }

    async fn chat(&self, request: Value) -> Answer {
        self.post("/v1/chat/completions", request.to_string()).await
    }

    async fn send(&self, path: &str, body: impl Into<Bytes>) -> Result<Response<Incoming>, Error> {
        let uri = format!("{}{path}", self.base);
        let request = Request::post(uri).body(Full::new(body.into())).unwrap();
        self.http.request(request).await
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn answer(response: Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

fn hello() -> Value {
    json!({"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]})
}

async fn upstream() -> MockUpstream {
    MockUpstream::builder().start().await.unwrap()
}

fn client(http2: bool) -> Client<HttpConnector, ScriptedBody> {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

fn body_to(upstream: &MockUpstream, body: ScriptedBody) -> Request<ScriptedBody> {
    Request::post(upstream.url()).body(body).unwrap()
}
