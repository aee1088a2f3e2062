use std::{fmt, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Response, header::SERVER};
use tokio::{task::yield_now, time::sleep};
use tower::BoxError;

/// A backend's reaction to a request.
///
/// The body and the `server` field of the answer hold the backend's label, which tells it from an answer of the
/// gateway.
#[derive(Clone, Debug)]
pub struct Reply {
    delay: Duration,
    chunks: usize,
    result: Option<Result<u16, &'static str>>,
    headers: Vec<(&'static str, String)>,
    stream: Option<(Duration, Vec<Bytes>)>,
    breaks_off: bool,
}

impl Reply {
    /// Answers with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            delay: Duration::ZERO,
            chunks: usize::MAX,
            result: Some(Ok(status)),
            headers: Vec::new(),
            stream: None,
            breaks_off: false,
        }
    }

    /// Answers 429 with this `retry-after`.
    #[must_use]
    pub fn throttled(retry_after: impl fmt::Display) -> Self {
        Self::status(429).header("retry-after", retry_after)
    }

    /// Fails instead of answering, like a refused or reset connection. Other requests on the connection continue.
    #[must_use]
    pub fn error(message: &'static str) -> Self {
        Self {
            result: Some(Err(message)),
            ..Self::status(0)
        }
    }

    /// Never answers.
    #[must_use]
    pub fn stall() -> Self {
        Self {
            result: None,
            ..Self::status(0)
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Delays the answer.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Reads at most this many chunks of the body first. Default: the whole body.
    #[must_use]
    pub fn reads(self, chunks: usize) -> Self {
        Self { chunks, ..self }
    }

    /// Sends the body in these chunks. Each comes `every` after the head or the previous chunk.
    #[must_use]
    pub fn streams(
        self,
        every: Duration,
        chunks: impl IntoIterator<Item = impl Into<Bytes>>,
    ) -> Self {
        let chunks = chunks.into_iter().map(Into::into).collect();
        Self {
            stream: Some((every, chunks)),
            ..self
        }
    }

    /// Breaks the body off after its last chunk.
    #[must_use]
    pub fn breaks_off(self) -> Self {
        Self {
            breaks_off: true,
            ..self
        }
    }

    pub(super) fn chunks_read(&self) -> usize {
        self.chunks
    }

    /// Returns the answer of the backend with this label.
    pub(super) async fn play(self, label: String) -> Result<Response<Body>, BoxError> {
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let Some(result) = self.result else {
            return std::future::pending().await;
        };
        let mut response = Response::builder().status(result?).header(SERVER, &label);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let body = match (self.stream, self.breaks_off) {
            (None, false) => Body::from(label),
            (None, true) => streamed(Duration::ZERO, vec![label.into()], true),
            (Some((every, chunks)), breaks_off) => streamed(every, chunks, breaks_off),
        };
        Ok(response.body(body)?)
    }
}

fn streamed(every: Duration, chunks: Vec<Bytes>, breaks_off: bool) -> Body {
    let left = (chunks.into_iter(), breaks_off);
    Body::from_stream(stream::unfold(
        left,
        move |(mut chunks, breaks_off)| async move {
            let Some(chunk) = chunks.next() else {
                // Earlier data goes out first: a connection that breaks loses what it holds.
                yield_now().await;
                return breaks_off.then(|| (Err("broken off"), (chunks, false)));
            };
            if !every.is_zero() {
                sleep(every).await;
            }
            Some((Ok(chunk), (chunks, breaks_off)))
        },
    ))
}
