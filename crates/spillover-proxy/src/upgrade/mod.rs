//! WebSocket connections through the proxy (RFC 9110 section 7.8, RFC 6455 section 4).
//!
//! A request for a WebSocket goes to a backend like any other. The service that gets a 101 from the backend returns a response
//! with status 101, the bytes of the backend as its body, and an [`UpgradedWriter`] in its extensions. The layer then copies
//! bytes both ways, in a task of the [`TaskSpawner`] that the server has put in the extensions.
//!
//! Since the bytes are the body, everything that lasts until the end of a body lasts as long as the connection, e.g. the
//! count of requests in flight and the log line.
//!
//! Requests without an upgrade pass:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use spillover_proxy::upgrade::UpgradeLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(UpgradeLayer)
//!     .service(service_fn(async |_: Request<Full<Bytes>>| {
//!         Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//! let response = service.oneshot(Request::new(Full::default())).await.unwrap();
//! assert_eq!(response.status(), 200);
//! # }
//! ```

mod future;
mod tunnel;
mod writer;

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, Request, Response, Version,
    header::{CONNECTION, UPGRADE},
};
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use spillover_serve::TaskSpawner;
use tower::{Layer, Service};

pub use self::{future::ResponseFuture, writer::UpgradedWriter};
pub use crate::hop_by_hop::WebSocketRequest;
use crate::hop_by_hop::tokens;

/// Connects clients and backends after an upgrade; see the [module](self).
///
/// Requests without a [`TaskSpawner`] in their extensions are not upgraded.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeLayer;

impl<S> Layer<S> for UpgradeLayer {
    type Service = Upgrade<S>;

    fn layer(&self, inner: S) -> Upgrade<S> {
        Upgrade { inner }
    }
}

/// Service of [`UpgradeLayer`].
#[derive(Clone, Debug)]
pub struct Upgrade<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Upgrade<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error = Infallible>,
    ReqBody: Body,
    ResBody: Body<Data = Bytes, Error: Send> + From<Bytes> + Send + 'static,
{
    type Response = Response<ResBody>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // hyper sets it for every protocol that a client asks for.
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let spawner = request.extensions_mut().remove::<TaskSpawner>();
        let switch = client.zip(spawner).filter(|_| is_for_websocket(&request));
        if switch.is_some() {
            request.extensions_mut().insert(WebSocketRequest);
        }
        ResponseFuture::new(self.inner.call(request), switch)
    }
}

fn is_for_websocket<B: Body>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && request.body().is_end_stream()
        && has_token(request.headers(), &CONNECTION, "upgrade")
        && has_token(request.headers(), &UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    fn asks(fields: &[(&str, &str)]) -> bool {
        let mut request = Request::get("/v1/realtime");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        is_for_websocket(&request.body(Empty::<Bytes>::new()).unwrap())
    }

    #[test]
    fn both_fields_must_ask_for_a_websocket() {
        assert!(asks(&[("connection", "Upgrade"), ("upgrade", "websocket")]));
        assert!(asks(&[
            ("connection", "keep-alive, UPGRADE"),
            ("upgrade", "h2c, WebSocket")
        ]));
        assert!(asks(&[
            ("connection", "keep-alive"),
            ("connection", "upgrade"),
            ("upgrade", "websocket")
        ]));
        assert!(!asks(&[("upgrade", "websocket")]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!asks(&[
            ("connection", "keep-alive"),
            ("upgrade", "websocket")
        ]));
        assert!(!asks(&[
            ("connection", "upgrade"),
            ("upgrade", "websocket/13")
        ]));
    }

    #[test]
    fn only_get_without_a_body_over_http_1_1_is_upgraded() {
        let request = |body: &'static str| {
            Request::get("/")
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "websocket")
                .body(Full::<Bytes>::from(body))
                .unwrap()
        };
        assert!(is_for_websocket(&request("")));
        assert!(!is_for_websocket(&request("x")));
        let mut post = request("");
        *post.method_mut() = Method::POST;
        assert!(!is_for_websocket(&post));
        for version in [Version::HTTP_10, Version::HTTP_2] {
            let mut other = request("");
            *other.version_mut() = version;
            assert!(!is_for_websocket(&other), "{version:?}");
        }
    }
}
