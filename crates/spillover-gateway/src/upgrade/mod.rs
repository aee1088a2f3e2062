//! WebSocket: a request to switch the protocol is one for a backend like any other, and what comes after the switch goes
//! through a tunnel (RFC 9110 section 7.8, RFC 6455 section 4).
//!
//! The bytes of the backend are the body of its 101. So whatever lasts until a body ends, such as the place at the backend and
//! the line in the log, lasts until the tunnel does.

mod future;
mod tunnel;
mod uplink;

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
use tower::{Layer, Service};

use self::future::ResponseFuture;
pub(crate) use self::uplink::Uplink;
use crate::hop_by_hop::tokens;
use spillover_serve::TaskSpawner;

/// Marks requests for a WebSocket, and joins client and backend when a backend agrees.
///
/// Who serves says in the extensions, by [`TaskSpawner`], where the tunnel runs. Without them there is no switch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpgradeLayer;

impl<S> Layer<S> for UpgradeLayer {
    type Service = Upgrade<S>;

    fn layer(&self, inner: S) -> Upgrade<S> {
        Upgrade { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Upgrade<S> {
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
        // It is there for whatever a client wants to switch to.
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let tunnels = request.extensions_mut().remove::<TaskSpawner>();
        let switch = client.zip(tunnels).filter(|_| is_for_websocket(&request));
        if switch.is_some() {
            request.extensions_mut().insert(ForWebSocket);
        }
        ResponseFuture::new(self.inner.call(request), switch)
    }
}

/// In the extensions of a request that asks for a WebSocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForWebSocket;

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
    fn both_fields_must_say_so() {
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
    fn only_a_get_without_a_body_over_http_1_1_does() {
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
