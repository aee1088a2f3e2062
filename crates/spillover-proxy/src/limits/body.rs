use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

/// Request body of limited size.
///
/// `http_body_util::Limited` does the same, but has no "unlimited" without another type, and its error does not tell the
/// limit.
#[derive(Debug)]
pub struct LimitedBody<B> {
    inner: B,
    limit: Option<u64>,
    passed: u64,
}

impl<B> LimitedBody<B> {
    pub(super) fn new(inner: B, limit: Option<u64>) -> Self {
        Self {
            inner,
            limit,
            passed: 0,
        }
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let (Some(Ok(frame)), Some(limit)) = (&frame, this.limit)
            && let Some(data) = frame.data_ref()
        {
            this.passed += data.len() as u64;
            if this.passed > limit {
                return Poll::Ready(Some(Err(BodyTooLarge { limit }.into())));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Error: the request body is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTooLarge {
    pub(super) limit: u64,
}

impl fmt::Display for BodyTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit } = self;
        write!(f, "The request body is larger than {limit} bytes.")
    }
}

impl Error for BodyTooLarge {}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn body_fails_above_its_limit() {
        let body = |limit| LimitedBody::new(Full::from("12345"), limit).collect();
        assert!(body(Some(5)).await.is_ok());
        assert!(body(None).await.is_ok());
        let error = body(Some(4)).await.unwrap_err();
        assert!(error.is::<BodyTooLarge>());
    }
}
