//! A request as SDKs send it, a client that answers at once, and a function that sends the one to the other.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower::Service;
use tower_spillover::{Backend, Credential, Pool};

pub(crate) type Body = Full<Bytes>;

/// Creates a pool with half of the backends in the first tier, and the rest in the second.
pub(crate) fn pool(backends: usize) -> Pool {
    let backend = |index: usize| {
        Backend::builder(index.to_string())
            .url(format!("http://{index}.example"))
            .credential(Credential::api_key("key").expect("the backend is valid"))
            .priority(u32::from(index >= backends.div_ceil(2)))
            .build()
            .expect("the backend is valid")
    };
    Pool::new((0..backends).map(backend)).expect("the backend is valid")
}

pub(crate) fn request() -> Request<Body> {
    let mut request = Request::new(Full::from("question"));
    *request.method_mut() = http::Method::POST;
    // A static URI clones without allocation, like a URI from a connection, which shares the read buffer.
    *request.uri_mut() = Uri::from_static("/v1/chat/completions");
    *request.headers_mut() = headers(&[
        ("host", "gateway.example"),
        ("accept", "application/json"),
        ("authorization", "Bearer of the client"),
        ("content-type", "application/json"),
        ("user-agent", "OpenAI/Python 2.0.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-retry-count", "0"),
    ]);
    request
}

/// A client that reads a request and answers it at once.
#[derive(Clone)]
pub(crate) struct Client {
    served: &'static HeaderMap,
    refused: &'static str,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::refusing("")
    }

    /// Creates a client that refuses requests to this host.
    pub(crate) fn refusing(host: &'static str) -> Self {
        let served = headers(&[
            ("content-type", "application/json"),
            ("x-request-id", "req_0123456789abcdef"),
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "199000"),
        ]);
        Self {
            served: Box::leak(Box::new(served)),
            refused: host,
        }
    }
}

impl<B> Service<Request<B>> for Client
where
    B: http_body::Body + Unpin,
    B::Error: fmt::Debug,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut cx = Context::from_waker(Waker::noop());
        while !request.body().is_end_stream() {
            let frame = Pin::new(request.body_mut()).poll_frame(&mut cx);
            assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
        }
        let mut response = Response::new(Full::from("answer"));
        if request.uri().host() == Some(self.refused) {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        } else {
            *response.headers_mut() = self.served.clone();
        }
        ready(Ok(response))
    }
}

/// Sends a request through a clone of the service, and drops the response.
pub(crate) fn send<S, B, ResBody>(service: &S, request: Request<B>)
where
    S: Service<Request<B>, Response = Response<ResBody>, Error = Infallible> + Clone,
{
    let mut service = service.clone();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("the client answers at once");
    };
    assert_eq!(response.status(), StatusCode::OK);
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    fields.iter().map(field).collect()
}
