//! Ends response bodies that stand still, or that take longer than the [`Deadline`] of their request.
//!
//! Only waiting counts: a client that reads slowly does not make a body idle.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use bytes::Bytes;
//! use futures_util::stream;
//! use http::{Request, Response};
//! use http_body::Frame;
//! use http_body_util::{BodyExt, StreamBody};
//! use spillover_proxy::idle_timeout::IdleTimeoutLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(IdleTimeoutLayer::new(Some(Duration::from_secs(3))))
//!     .service(service_fn(async |_: Request<()>| {
//!         let silent = stream::pending::<Result<Frame<Bytes>, Infallible>>();
//!         Ok::<_, Infallible>(Response::new(StreamBody::new(silent)))
//!     }));
//! let response = service.oneshot(Request::new(())).await.unwrap();
//! let error = response.into_body().collect().await.unwrap_err();
//! assert_eq!(error.to_string(), "nothing more came within 3 s");
//! # }
//! ```

mod body;
mod future;
mod timer;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use spillover_core::Attempts;
use tokio::time::Instant;
use tower::{Layer, Service};

pub use self::{body::IdleTimeoutBody, future::ResponseFuture, timer::BodyTimer};
use crate::limits::Deadline;

/// Ends response bodies that stand still; see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct IdleTimeoutLayer {
    limit: Option<Duration>,
}

impl IdleTimeoutLayer {
    /// Creates a layer with the greatest time between two frames. `None`: only the [`Deadline`] counts.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for IdleTimeoutLayer {
    type Service = IdleTimeout<S>;

    fn layer(&self, inner: S) -> IdleTimeout<S> {
        IdleTimeout {
            inner,
            limit: self.limit,
        }
    }
}

/// Service of [`IdleTimeoutLayer`].
#[derive(Clone, Debug)]
pub struct IdleTimeout<S> {
    inner: S,
    limit: Option<Duration>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for IdleTimeout<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<IdleTimeoutBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let deadline: Option<Deadline> = extensions.get().copied();
        let is_late = deadline.is_some_and(|deadline| deadline.is_mostly_spent_at(Instant::now()));
        let late = extensions.get::<Attempts>().filter(|_| is_late).cloned();
        let timer = BodyTimer::new(self.limit, deadline, late);
        ResponseFuture::new(self.inner.call(request), timer)
    }
}
