//! Reading the body of a refusal, as far as it is worth it.

use std::{
    borrow::Cow,
    fmt,
    io::Read as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, Response, header::CONTENT_ENCODING};
use http_body::Body;
use pin_project_lite::pin_project;
use spillover_hint::Report;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::{Read, ResumedBody};

pin_project! {
    /// Reads the body of a refusal.
    pub(super) struct ReadRefusal<B>
    where
        B: Body,
    {
        head: Option<Head>,
        read: Option<Read<B>>,
        #[pin]
        body: Option<B>,
        #[pin]
        sleep: Sleep,
    }
}

struct Head {
    response: Response<()>,
    report: Report,
}

impl<B: Body> ReadRefusal<B> {
    pub(super) fn new(response: Response<B>, report: Report) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            head: Some(Head {
                response: Response::from_parts(parts, ()),
                report,
            }),
            read: Some(Read::new()),
            body: Some(body),
            sleep: sleep_until(Instant::now() + READ_TIMEOUT),
        }
    }
}

impl<B: Body + Unpin> Future for ReadRefusal<B> {
    /// The response with what its body says, in the extensions.
    type Output = Response<ResumedBody<B>>;

    /// Reads until the end of the body, [`READ_LIMIT`] or [`READ_TIMEOUT`], whichever comes first.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let read = this.read.as_mut().expect("polled after completion");
        let mut body = this
            .body
            .as_mut()
            .as_pin_mut()
            .expect("polled after completion");
        loop {
            if body.is_end_stream() || read.len() >= READ_LIMIT {
                break;
            }
            match body.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => {
                    if !read.push(frame) {
                        break;
                    }
                }
                Poll::Pending if this.sleep.as_mut().poll(cx).is_ready() => break,
                Poll::Pending => return Poll::Pending,
            }
        }

        let head = this.head.take().expect("polled after completion");
        let read = this.read.take().expect("it was there");
        let body = this.body.as_mut().get_mut().take().expect("it was there");
        let text = decode(head.response.headers(), read.data(READ_LIMIT));
        let report = head.report.with_body(&text);
        let mut response = head.response.map(|()| ResumedBody::resumed(read, body));
        response.extensions_mut().insert(report);
        Poll::Ready(response)
    }
}

/// What the body says. One in an encoding that is not known is as good as empty; of one that is cut off, the beginning.
fn decode<'a>(headers: &HeaderMap, bytes: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
    let mut decoded = Vec::new();
    let limit = READ_LIMIT as u64;
    let coding = headers.get(CONTENT_ENCODING);
    // The case is of no account (RFC 9110 section 8.4.1).
    let coding = coding.map(|value| value.as_bytes().to_ascii_lowercase());
    // An error means that the rest cannot be decoded: what came before it counts.
    let _ = match coding.as_deref() {
        None | Some(b"identity") => return bytes,
        Some(b"gzip" | b"x-gzip") => MultiGzDecoder::new(&*bytes)
            .take(limit)
            .read_to_end(&mut decoded),
        Some(b"deflate") => ZlibDecoder::new(&*bytes)
            .take(limit)
            .read_to_end(&mut decoded),
        Some(b"br") => brotli_decompressor::Decompressor::new(&*bytes, 4096)
            .take(limit)
            .read_to_end(&mut decoded),
        Some(_) => Ok(0),
    };
    decoded.into()
}

impl<B: Body> fmt::Debug for ReadRefusal<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadRefusal").finish_non_exhaustive()
    }
}

/// An error message that is longer says nothing more.
const READ_LIMIT: usize = 64 << 10;

/// An error body comes with its head. One that does not is not waited for: the next backend is.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
