//! Reading the body of a refusal, as far as it is worth it.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_core::layer::LateReport;
use spillover_hint::Report;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::body::PeekedBody;
use crate::coding::{Coding, Decoder, UnreadableCoding};

pin_project! {
    /// Reads the body of a refusal.
    pub(super) struct ReadRefusal<B>
    where
        B: Body,
    {
        refused: Option<Refused<B>>,
        moves_on: bool,
        begun: Instant,
        #[pin]
        sleep: Sleep,
    }
}

struct Refused<B: Body> {
    head: Response<()>,
    report: Report,
    body: PeekedBody<B>,
}

impl<B: Body> ReadRefusal<B> {
    /// Creates the reader. `moves_on` is true when the request goes to another backend, whatever the body says.
    pub(super) fn new(response: Response<B>, report: Report, moves_on: bool) -> Self {
        let (parts, body) = response.into_parts();
        let begun = Instant::now();
        Self {
            refused: Some(Refused {
                head: Response::from_parts(parts, ()),
                report,
                body: PeekedBody::untouched(body),
            }),
            moves_on,
            begun,
            sleep: sleep_until(begun + if moves_on { PATIENCE } else { READ_TIMEOUT }),
        }
    }
}

impl<B> Future for ReadRefusal<B>
where
    B: Body<Error: Send> + Send + Unpin + 'static,
{
    /// The response with a report in the extensions: on what its body says; or on its head, where the body is late.
    type Output = Response<PeekedBody<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let refused = this.refused.as_mut().expect("polled after completion");
        let is_late = refused.body.poll_ahead(cx, READ_LIMIT).is_pending();
        if is_late {
            ready!(this.sleep.as_mut().poll(cx));
        }
        let refused = this.refused.take().expect("it was there");
        Poll::Ready(match is_late && *this.moves_on {
            true => refused.read_later(*this.begun + READ_TIMEOUT),
            false => refused.end(),
        })
    }
}

impl<B: Body + Unpin> Refused<B> {
    fn end(self) -> Response<PeekedBody<B>> {
        let text = decode(Coding::of(self.head.headers()), self.body.data(READ_LIMIT));
        let report = self.report.with_body(&text);
        let mut response = self.head;
        response.extensions_mut().insert(report);
        response.map(|()| self.body)
    }

    /// Returns the response by its head, while the rest of its body is read until the deadline.
    fn read_later(self, until: Instant) -> Response<PeekedBody<B>>
    where
        B: Body<Error: Send> + Send + 'static,
    {
        let coding = Coding::of(self.head.headers());
        let report = self.report.clone();
        let (body, shared) = self.body.share();
        let late = LateReport::new(async move {
            let read = poll_fn(|cx| shared.lock().poll_ahead(cx, READ_LIMIT));
            // The part that came by then counts.
            let _ = timeout_at(until, read).await;
            let text = decode(coding, shared.lock().data(READ_LIMIT)).into_owned();
            report.with_body(&text)
        });
        let mut response = self.head;
        response.extensions_mut().insert(self.report);
        response.extensions_mut().insert(late);
        response.map(|()| body)
    }
}

/// Decodes the body. A body in an unknown coding counts as empty. Of a body that is cut off or corrupt, the
/// beginning counts.
fn decode(coding: Result<Option<Coding>, UnreadableCoding>, bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let coding = match coding {
        Ok(None) => return bytes,
        Ok(Some(coding)) => coding,
        Err(_) => return Cow::Borrowed(&[]),
    };
    let mut decoded = Vec::new();
    let _ = Decoder::new(coding).decode(&bytes, |piece| {
        let room = READ_LIMIT - decoded.len();
        decoded.extend_from_slice(&piece[..piece.len().min(room)]);
        match decoded.len() < READ_LIMIT {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    decoded.into()
}

impl<B: Body> fmt::Debug for ReadRefusal<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadRefusal").finish_non_exhaustive()
    }
}

/// An error message that is longer says nothing more.
const READ_LIMIT: usize = 64 << 10;

/// The wait for the body if the request has another backend to go to. A body that is written right after its head comes sooner.
const PATIENCE: Duration = Duration::from_millis(20);

/// An error body comes with its head. One that does not is not waited for any longer.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
