use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::policy::Grant;

pin_project! {
    /// Response future of [`Cors`](super::Cors).
    pub struct ResponseFuture<F, ResBody> {
        #[pin]
        kind: Kind<F, ResBody>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, ResBody> {
        Call {
            #[pin]
            future: F,
            grant: Option<Grant>,
        },
        Answer {
            response: Option<Response<ResBody>>,
        },
    }
}

impl<F, ResBody> ResponseFuture<F, ResBody> {
    pub(super) fn call(future: F, grant: Option<Grant>) -> Self {
        Self {
            kind: Kind::Call { future, grant },
        }
    }

    pub(super) fn answer(response: Response<ResBody>) -> Self {
        Self {
            kind: Kind::Answer {
                response: Some(response),
            },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Call { future, grant } => {
                let mut response = ready!(future.poll(cx))?;
                if let Some(grant) = grant.take() {
                    grant.write(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            KindProj::Answer { response } => {
                Poll::Ready(Ok(response.take().expect("polled after completion")))
            }
        }
    }
}
