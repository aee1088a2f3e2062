use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use spillover_core::{Selected, Tried};
use spillover_hint::Report;
use tokio::time::{Sleep, sleep};

use super::{
    body::PeekedBody,
    event::{Event, Reader},
    form::Form,
    judge::Verdict,
    layer::Limits,
    refuse::{self, Refused},
    watch::Watch,
};
use crate::body::{Read, ResumedBody};

pin_project! {
    /// Reads a stream until its first content.
    pub(super) struct Hold<B>
    where
        B: Body,
    {
        parts: Option<Parts<B>>,
        form: Form,
        reader: Reader,
        tried: Option<Tried>,
        max_held: usize,
        #[pin]
        sleep: Sleep,
    }
}

struct Parts<B: Body> {
    head: Response<()>,
    read: Read<B>,
    body: B,
    selected: Option<Selected>,
}

/// What the request says of itself.
#[derive(Default)]
pub(super) struct Attempt {
    selected: Option<Selected>,
    tried: Option<Tried>,
}

impl Attempt {
    pub(super) fn of(extensions: &Extensions) -> Self {
        Self {
            selected: extensions.get().cloned(),
            tried: extensions.get().cloned(),
        }
    }
}

/// How it ends.
enum End {
    Release,
    Refuse(Refused),
    RefuseByTrailers(Report),
    Broken,
}

impl<B: Body> Hold<B> {
    pub(super) fn new(response: Response<B>, form: Form, limits: Limits, attempt: Attempt) -> Self {
        let (head, body) = response.into_parts();
        Self {
            parts: Some(Parts {
                head: Response::from_parts(head, ()),
                read: Read::new(),
                body,
                selected: attempt.selected,
            }),
            form,
            reader: Reader::new(form),
            tried: attempt.tried,
            max_held: limits.max_held,
            sleep: sleep(limits.max_wait),
        }
    }
}

impl<B: Body + Unpin> Future for Hold<B> {
    type Output = Response<PeekedBody<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let parts = this.parts.as_mut().expect("polled after completion");
        let end = loop {
            if parts.read.len() >= *this.max_held {
                break End::Release;
            }
            let end = match Pin::new(&mut parts.body).poll_frame(cx) {
                Poll::Ready(Some(Err(_))) => Some(End::Broken),
                Poll::Ready(frame) => match parts.read.push(frame) {
                    true => parts.read.last().and_then(|frame| look(this.reader, frame)),
                    false => Some(finish(this.reader)),
                },
                // Who has more to send may wait for the head before it does.
                Poll::Pending if this.tried.as_ref().is_some_and(Tried::is_awaiting_body) => {
                    Some(End::Release)
                }
                Poll::Pending if this.sleep.as_mut().poll(cx).is_ready() => Some(End::Release),
                Poll::Pending => return Poll::Pending,
            };
            if let Some(end) = end {
                break end;
            }
        };
        let parts = this.parts.take().expect("it was there");
        Poll::Ready(parts.end(end, *this.form))
    }
}

impl<B: Body> Parts<B> {
    fn end(self, end: End, form: Form) -> Response<PeekedBody<B>> {
        let response = match end {
            End::Release => {
                let watch = self.selected.map(|selected| Watch::new(form, selected));
                let body = ResumedBody::resumed(self.read, self.body);
                return self.head.map(|()| PeekedBody::new(body, watch));
            }
            End::Refuse(refused) => refused.into_response(self.head),
            End::RefuseByTrailers(report) => {
                let trailers = self.read.last().and_then(Frame::trailers_ref);
                let trailers = trailers.cloned().unwrap_or_default();
                refuse::trailers_only(self.head, trailers, report)
            }
            End::Broken if form == Form::Grpc => refuse::broken_grpc(self.head),
            End::Broken => Refused::broken(form).into_response(self.head),
        };
        response.map(PeekedBody::from)
    }
}

/// What a frame decides, if it does.
fn look(reader: &mut Reader, frame: &Frame<Bytes>) -> Option<End> {
    if let Some(data) = frame.data_ref() {
        return reader.read(data, judge);
    }
    // Only those of gRPC say how it went; after others comes nothing but the end.
    let trailers = frame
        .trailers_ref()
        .filter(|_| matches!(reader, Reader::Grpc))?;
    Some(Report::from_trailers(trailers).map_or(End::Release, End::RefuseByTrailers))
}

/// What the end of the stream decides. One without content may be an empty answer.
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
