//! Removes the header fields of a single connection (RFC 9110 section 7.6.1).
//!
//! Requests and responses become messages for another connection: the hop-by-hop fields and those that `connection` names are
//! removed, and the version becomes HTTP/1.1, since the other connection has its own. Kept are
//!
//! * `te: trailers`, which gRPC servers require,
//! * `upgrade` of a request for a WebSocket, and of responses with status 101 and 426.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use spillover_proxy::hop_by_hop::HopByHopLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(HopByHopLayer)
//!     .service(service_fn(async |request: Request<()>| {
//!         assert!(!request.headers().contains_key("x-internal"));
//!         let response = Response::builder().header("keep-alive", "timeout=5");
//!         Ok::<_, Infallible>(response.body(()).unwrap())
//!     }));
//! let request = Request::get("/")
//!     .header("connection", "close, x-internal")
//!     .header("x-internal", "1");
//! let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
//! assert!(response.headers().is_empty());
//! # }
//! ```

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
};

use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Marks a request for a WebSocket, in its extensions. Its `upgrade` field is kept.
#[derive(Clone, Copy, Debug)]
pub struct WebSocketRequest;

/// Removes hop-by-hop fields of requests and responses; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct HopByHopLayer;

impl<S> Layer<S> for HopByHopLayer {
    type Service = HopByHop<S>;

    fn layer(&self, inner: S) -> HopByHop<S> {
        HopByHop { inner }
    }
}

/// Service of [`HopByHopLayer`].
#[derive(Clone, Debug)]
pub struct HopByHop<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HopByHop<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ResponseFuture {
            inner: self.inner.call(strip_request(request)),
        }
    }
}

pin_project! {
    /// Response future of [`HopByHop`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(strip_response(response)))
    }
}

/// Removes the hop-by-hop fields of a request, and `expect`, which the server has answered.
fn strip_request<B>(mut request: Request<B>) -> Request<B> {
    let present = present(request.headers());
    let accepts_trailers = present[1] && accepts_trailers(request.headers());
    remove(request.headers_mut(), present);
    request.headers_mut().remove(EXPECT);
    if accepts_trailers {
        // gRPC servers require the field, and trailers are forwarded.
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert(TE, trailers);
    }
    if request.extensions().get::<WebSocketRequest>().is_some() {
        set_upgrade(HeaderValue::from_static("websocket"), request.headers_mut());
    }
    // The connection to the backend has a version of its own.
    *request.version_mut() = Version::HTTP_11;
    request
}

/// Removes the hop-by-hop fields of a response.
fn strip_response<B>(mut response: Response<B>) -> Response<B> {
    // 101 names the protocol of the upgrade, 426 a required one (RFC 9110 section 15.5.22).
    let names_protocol = matches!(
        response.status(),
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED
    );
    let protocol = names_protocol.then(|| response.headers_mut().remove(UPGRADE));
    strip(response.headers_mut());
    if let Some(protocol) = protocol.flatten() {
        set_upgrade(protocol, response.headers_mut());
    }
    *response.version_mut() = Version::HTTP_11;
    response
}

/// Sets the fields of an upgrade.
fn set_upgrade(protocol: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(UPGRADE, protocol);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
}

fn strip(headers: &mut HeaderMap) {
    remove(headers, present(headers));
}

/// Returns which of [`HOP_BY_HOP`] a head has. One pass over its names costs less than a lookup of each field.
fn present(headers: &HeaderMap) -> [bool; COUNT] {
    let mut present = [false; COUNT];
    for name in headers.keys() {
        if let Some(index) = HOP_BY_HOP.iter().position(|field| field == name) {
            present[index] = true;
        }
    }
    present
}

/// Removes the fields that are present, and those that `connection` names.
fn remove(headers: &mut HeaderMap, present: [bool; COUNT]) {
    if present[0] {
        // Skips `close`, which is no field, and fields that are removed anyway. Most heads name no others.
        let is_option = |token: &str| {
            let is = |name: &str| name.eq_ignore_ascii_case(token);
            is("close") || HOP_BY_HOP.iter().any(|name| is(name.as_str()))
        };
        let named = tokens(headers, &CONNECTION).filter(|token| !is_option(token));
        let named: Vec<HeaderName> = named.filter_map(|name| name.parse().ok()).collect();
        for name in &named {
            headers.remove(name);
        }
    }
    for (name, is_present) in HOP_BY_HOP.iter().zip(present) {
        if is_present {
            headers.remove(name);
        }
    }
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

/// Returns the elements of a list field (RFC 9110 section 5.6.1).
pub(crate) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

const COUNT: usize = 8;

/// Hop-by-hop fields. The code above uses the positions of the first two.
const HOP_BY_HOP: [HeaderName; COUNT] = [
    CONNECTION,
    TE,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    // Old clients send it in place of `connection` (RFC 9112 appendix C.2.2).
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut request = Request::new(());
        for (name, value) in fields {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(*name, value);
        }
        let request = strip_request(request);
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut left: Vec<_> = request.headers().iter().map(field).collect();
        left.sort();
        left
    }

    #[test]
    fn fields_of_one_connection_are_removed() {
        let left = stripped(&[
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("content-type", "application/json"),
            ("content-length", "2"),
        ]);
        assert_eq!(
            left,
            ["content-length: 2", "content-type: application/json"]
        );
    }

    #[test]
    fn fields_that_connection_names_are_removed() {
        let left = stripped(&[
            ("connection", "close, X-One ,,\u{9}x-two"),
            ("connection", "x-three, not a name"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-two", "2 again"),
            ("x-three", "3"),
            ("x-four", "4"),
        ]);
        assert_eq!(left, ["x-four: 4"]);
    }

    #[test]
    fn upgrade_of_a_websocket_request_is_kept() {
        let mut request = Request::get("/v1/realtime")
            .header("connection", "keep-alive, Upgrade, x-named")
            .header("upgrade", "WebSocket, h2c")
            .header("x-named", "1")
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        request.extensions_mut().insert(WebSocketRequest);
        let request = strip_request(request);
        assert_eq!(request.headers()["connection"], "upgrade");
        assert_eq!(request.headers()["upgrade"], "websocket");
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        assert!(!request.headers().contains_key("x-named"));
    }

    #[test]
    fn upgrade_is_kept_in_responses_about_an_upgrade_only() {
        for (status, passes) in [(101, true), (426, true), (200, false)] {
            let response = Response::builder()
                .status(status)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .body(())
                .unwrap();
            let response = strip_response(response);
            assert_eq!(response.headers().contains_key("upgrade"), passes);
            assert_eq!(response.headers().contains_key("connection"), passes);
        }
    }

    #[test]
    fn te_is_kept_for_trailers_only() {
        assert_eq!(stripped(&[("te", "gzip, Trailers")]), ["te: trailers"]);
        assert!(stripped(&[("te", "gzip")]).is_empty());
    }

    #[test]
    fn responses_lose_hop_by_hop_fields_and_their_version() {
        let mut response = Response::new(());
        *response.version_mut() = Version::HTTP_2;
        for (name, value) in [("connection", "x-a"), ("x-a", "1"), ("x-b", "2")] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        let response = strip_response(response);
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()["x-b"], "2");
        assert_eq!(response.version(), Version::HTTP_11);
    }
}
