use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use spillover_hint::Report;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    attempt::{self, Attempt, FirstToken},
    body::{PeekedBody, Prefix},
    event::{Event, Reader},
    form::Form,
    judge::Verdict,
    late_error::LateErrorWatch,
    refuse::{self, NoContent, Refused},
};
use crate::coding::Coding;

pin_project! {
    /// Waits for the first content of a stream, within the bounds.
    pub(super) struct Hold<B>
    where
        B: Body,
    {
        reading: Reading<B>,
        release_at: Instant,
        #[pin]
        sleep: Sleep,
    }
}

/// Reads a stream until its first content, as far as it has come. Needs no timer: most responses that are no streams have come by
/// the time of their head.
pub(super) struct Reading<B: Body> {
    parts: Option<Parts<B>>,
    reader: Reader,
    limits: Limits,
}

/// The bounds within which a stream is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_held: usize,
    pub(crate) max_wait: Duration,
}

struct Parts<B: Body> {
    head: Response<()>,
    form: Form,
    coding: Option<Coding>,
    prefix: Prefix<B>,
    body: B,
    attempt: Attempt,
}

/// How it ends.
enum End {
    Release,
    Refuse(Refused),
    RefuseByTrailers(Report),
    NoContent(NoContent),
}

impl<B: Body> Reading<B> {
    pub(super) fn new(
        response: Response<B>,
        form: Form,
        coding: Option<Coding>,
        limits: Limits,
        attempt: Attempt,
    ) -> Self {
        let (head, body) = response.into_parts();
        attempt.set_head();
        let parts = Parts {
            head: Response::from_parts(head, ()),
            form,
            coding,
            prefix: Prefix::new(),
            body,
            attempt,
        };
        Self {
            reader: Reader::new(form, coding),
            limits,
            parts: Some(parts),
        }
    }
}

impl<B: Body + Unpin> Reading<B> {
    /// Reads the frames that have come. Returns the response once it is known.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<PeekedBody<B>>> {
        let end = ready!(self.poll_end(cx));
        Poll::Ready(self.end(end))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let parts = self.parts.as_mut().expect("polled after completion");
        loop {
            if parts.prefix.len() >= self.limits.max_held {
                return Poll::Ready(End::Release);
            }
            let end = match Pin::new(&mut parts.body).poll_frame(cx) {
                Poll::Ready(Some(Err(_))) => Some(End::NoContent(NoContent::BrokeOff)),
                Poll::Ready(frame) => match parts.prefix.push(frame) {
                    true => parts
                        .prefix
                        .last()
                        .and_then(|frame| look(&mut self.reader, frame)),
                    false => Some(finish(&mut self.reader)),
                },
                Poll::Pending if parts.attempt.is_awaiting_body() => Some(End::Release),
                Poll::Pending => return Poll::Pending,
            };
            if let Some(end) = end {
                return Poll::Ready(end);
            }
        }
    }

    /// Returns until when the stream is held without content, and how that ends.
    fn patience(&self, release_at: Instant, now: Instant) -> (Instant, End) {
        let parts = self.parts.as_ref().expect("polled after completion");
        parts.patience(release_at, now)
    }

    fn end(&mut self, end: End) -> Response<PeekedBody<B>> {
        let parts = self.parts.take().expect("polled after completion");
        parts.end(end)
    }
}

impl<B: Body + Unpin> Hold<B> {
    pub(super) fn new(reading: Reading<B>) -> Self {
        let now = Instant::now();
        let release_at = attempt::after(now, reading.limits.max_wait);
        Self {
            release_at,
            sleep: sleep_until(reading.patience(release_at, now).0),
            reading,
        }
    }
}

impl<B: Body + Unpin> Future for Hold<B> {
    type Output = Response<PeekedBody<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(response) = this.reading.poll(cx) {
            return Poll::Ready(response);
        }
        loop {
            ready!(this.sleep.as_mut().poll(cx));
            let now = Instant::now();
            let (at, end) = this.reading.patience(*this.release_at, now);
            if at <= now {
                return Poll::Ready(this.reading.end(end));
            }
            this.sleep.as_mut().reset(at);
        }
    }
}

impl<B: Body> Parts<B> {
    /// Returns until when the stream is held without content, and how that ends.
    fn patience(&self, release_at: Instant, now: Instant) -> (Instant, End) {
        let first_token = match self.form {
            // A response that is no stream has its content when it is complete.
            Form::Json => None,
            _ => self.attempt.first_token(now),
        };
        match first_token {
            Some(FirstToken { limit, deadline }) => {
                (deadline, End::NoContent(NoContent::Within(limit)))
            }
            None => (release_at, End::Release),
        }
    }

    fn end(self, end: End) -> Response<PeekedBody<B>> {
        let form = self.form;
        let response = match end {
            End::Release => {
                let selected = self.attempt.into_selected();
                let selected = selected.filter(|_| form != Form::Json);
                let watch = |selected| LateErrorWatch::new(form, self.coding, selected);
                let body = PeekedBody::resumed(self.prefix, self.body, selected.map(watch));
                return self.head.map(|()| body);
            }
            End::Refuse(refused) => refused.into_response(self.head),
            End::RefuseByTrailers(report) => {
                let trailers = self.prefix.last().and_then(Frame::trailers_ref);
                let trailers = trailers.cloned().unwrap_or_default();
                refuse::trailers_only(self.head, trailers, report)
            }
            End::NoContent(why) if form == Form::Grpc => {
                refuse::without_content_grpc(self.head, why)
            }
            End::NoContent(why) => Refused::without_content(form, why).into_response(self.head),
        };
        response.map(PeekedBody::from)
    }
}

/// Returns how the hold ends because of a frame, if it does.
fn look(reader: &mut Reader, frame: &Frame<Bytes>) -> Option<End> {
    if let Some(data) = frame.data_ref() {
        // A chunk that cannot be decoded is passed on, as unknown events are.
        return reader.read(data, judge).unwrap_or(Some(End::Release));
    }
    // Only those of gRPC say how it went; after others comes nothing but the end.
    let trailers = frame.trailers_ref().filter(|_| reader.is_grpc())?;
    Some(Report::from_trailers(trailers).map_or(End::Release, End::RefuseByTrailers))
}

/// Returns how the hold ends with the stream. A stream without content may be an empty answer.
fn finish(reader: &mut Reader) -> End {
    reader.finish(judge).unwrap_or(End::Release)
}

fn judge(event: Event<'_>) -> Option<End> {
    match Verdict::of(&event) {
        Verdict::Lifecycle => None,
        Verdict::Content => Some(End::Release),
        Verdict::Error(report) => Some(End::Refuse(Refused::by(&event, *report))),
    }
}
