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
use spillover_serve::TaskSpawner;

use super::{UpgradedWriter, tunnel::tunnel};

pin_project! {
    /// Response future of [`Upgrade`](super::Upgrade).
    pub struct ResponseFuture<F> {
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
        let Some((client, spawner)) = this.switch.take() else {
            return Poll::Ready(Ok(response));
        };
        let Some(writer) = response.extensions_mut().remove::<UpgradedWriter>() else {
            return Poll::Ready(Ok(response));
        };
        let (head, body) = response.into_parts();
        spawner.spawn(tunnel(client, body, writer));
        Poll::Ready(Ok(Response::from_parts(head, Bytes::new().into())))
    }
}
