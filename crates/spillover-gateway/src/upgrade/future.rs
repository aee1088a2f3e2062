use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;

use super::{Uplink, tunnel::tunnel};
use spillover_serve::TaskSpawner;

pin_project! {
    /// The response; after one that switches the protocol the tunnel is on its way.
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        switch: Option<(OnUpgrade, TaskSpawner)>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, switch: Option<(OnUpgrade, TaskSpawner)>) -> Self {
        Self { inner, switch }
    }
}

impl<F, ResBody> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, Infallible>>,
    ResBody: Body<Data = Bytes, Error: Send> + From<Bytes> + Send + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(cx));
        let Some((client, tunnels)) = this.switch.take() else {
            return Poll::Ready(Ok(response));
        };
        let Some(uplink) = response.extensions_mut().remove::<Uplink>() else {
            return Poll::Ready(Ok(response));
        };
        let (head, body) = response.into_parts();
        tunnels.spawn(tunnel(client, body, uplink));
        Poll::Ready(Ok(Response::from_parts(head, Bytes::new().into())))
    }
}
