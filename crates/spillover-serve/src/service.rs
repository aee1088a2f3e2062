use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use crate::BoxError;

/// A service that a [`Server`](crate::Server) can serve: the bounds of an HTTP service whose errors are responses.
///
/// Implemented for every service with these bounds. Each thread has a service of its own, and each active connection a clone
/// of it.
pub trait HttpService<B>:
    Service<
        Request<B>,
        Response = Response<Self::ResponseBody>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
    /// Body of the responses.
    type ResponseBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;
}

impl<S, B, R> HttpService<B> for S
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type ResponseBody = R;
}
