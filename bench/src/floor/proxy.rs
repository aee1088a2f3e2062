use std::{io, net::SocketAddr};

use http::{
    HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::HOST,
    uri::{self, Scheme},
};
use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::Connect},
    rt::{TokioExecutor, TokioTimer},
};

/// Passes requests on to the upstream.
#[derive(Clone)]
pub(super) struct Proxy<C> {
    client: Client<C, Incoming>,
    scheme: Scheme,
    authority: uri::Authority,
    host: HeaderValue,
}

impl<C> Proxy<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    pub(super) fn new(connector: C, scheme: Scheme, upstream: SocketAddr) -> io::Result<Self> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let authority = upstream.to_string();
        Ok(Self {
            client,
            scheme,
            host: HeaderValue::from_str(&authority).map_err(io::Error::other)?,
            authority: authority.parse().map_err(io::Error::other)?,
        })
    }

    pub(super) async fn pass_on(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Either<Incoming, Empty<Bytes>>>, http::Error> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme);
        parts.authority = Some(self.authority);
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.host);

        match self.client.request(request).await {
            Ok(response) => Ok(response.map(Either::Left)),
            Err(_) => Response::builder()
                .status(StatusCode::BAD_GATEWAY)
                .body(Either::Right(Empty::new())),
        }
    }
}
