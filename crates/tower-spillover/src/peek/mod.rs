//! Holds a stream until its first content, so that an error that comes before it can still go to another backend.
//!
//! Providers say 200 as soon as they have taken a request, and find out later that they cannot serve it: the stream begins
//! with a few events of its lifecycle, and then has an error in it.
//!
//! A response is treated so if its status is 2xx and its `content-type` is that of server-sent events
//! (`text/event-stream`), of AWS's event streams (`application/vnd.amazon.eventstream`) or of gRPC (`application/grpc`):
//!
//! * it is held while what comes is of the lifecycle only: comments, `ping`, `message_start`, `response.created`, chat chunks
//!   that have a role and no text, and their like. With gRPC, until the first message;
//! * at the first content all of it is passed on, unchanged, and from then on as it comes. An unknown event is content. The
//!   same happens when 64 KiB or 5 s are [reached](StreamPeekLayer), and when the stream ends without content;
//! * it is passed on as well when nothing is there to look at and the client has not sent all of its request
//!   ([`Attempts::is_awaiting_body`]), as in a gRPC call with streams both ways: it may wait for the head before it sends more;
//! * where a [deadline](#a-deadline-for-the-first-content) is set and passes without content, it is given up;
//! * an error before that makes it the response that it would have been: with the [status](spillover_hint::Report::status)
//!   that the error stands for, its fields but those about the stream, and the error as JSON. With gRPC the trailers become
//!   the head, and the status stays 200. The report of the error is put, as a [`Report`], in the extensions, and the rest
//!   of the stream is dropped;
//! * a stream that breaks off before that becomes a 502, with gRPC an UNAVAILABLE, whose `Report` says that the backend fails;
//! * an error that comes later is for the client. If the request has a [`Selected`] in its extensions, it is counted as an
//!   answer that was [broken off](spillover_core::layer::SelectedProtocol::record_broken), and is an event at level `WARN`.
//!
//! A JSON body of the response to a POST, or one JSON object on each line, is held until its first bytes. If its first key is
//! `error`, as in [OpenRouter's](https://openrouter.ai/docs/api-reference/errors) `{"error":{"code":429}}` with status 200, it
//! becomes the refusal that the error stands for. A body with another first key, an error of JSON-RPC, and a body of more than
//! 64 KiB pass on. So does the response to another method, since the content of a file says nothing about the backend.
//!
//! A stream in gzip, deflate, br or zstd is decoded for the look, and passed on as it came. An error in it becomes plain JSON.
//! One in another [`coding`](crate::coding) passes through untouched, and so does everything else. A request's
//! `accept-encoding` loses the codings that are not read: `gzip, dcb` becomes `gzip`. Nothing else of requests is touched.
//!
//! The layer goes inside [`ThrottleTracker`](crate::throttle), which reads the `Report`, and outside the client. The bodies of
//! responses must be `Unpin`, as those of hyper are; `BodyExt::boxed` makes any of them so.
//!
//! ```
//! # use std::convert::Infallible;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use spillover_hint::{Refusal, Report};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_spillover::peek::StreamPeekLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! const STREAM: &str = concat!(
//!     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n",
//!     "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
//! );
//! let service = ServiceBuilder::new()
//!     .layer(StreamPeekLayer::new())
//!     .service(service_fn(|_: Request<()>| async {
//!         let response = Response::builder().header("content-type", "text/event-stream");
//!         Ok::<_, Infallible>(response.body(Full::<bytes::Bytes>::from(STREAM)).unwrap())
//!     }));
//!
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), 529);
//! assert_eq!(response.headers()["content-type"], "application/json");
//! assert_eq!(response.extensions().get::<Report>().unwrap().refusal(), Refusal::Capacity);
//! let body = response.into_body().collect().await?.to_bytes();
//! assert_eq!(body, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # A deadline for the first content
//!
//! A backend may answer 200, and then generate nothing. With [`first_token`](StreamPeekLayer::first_token) such a stream
//! is given up: it becomes a 504, with gRPC an UNAVAILABLE, whose `Report` says that the backend fails, and the layers outside
//! send the request to the next backend. The client has seen nothing of it.
//!
//! ```
//! # use std::time::Duration;
//! # use tower_spillover::peek::StreamPeekLayer;
//! let layer = StreamPeekLayer::new().first_token(Duration::from_secs(8));
//! # let _ = layer;
//! ```
//!
//! A stream of the last attempt is not given up. Values in the extensions of the request tell if there is another:
//!
//! | [`Selected`] | [`Attempts`](spillover_core::Attempts) | a stream without content is given up |
//! |---|---|---|
//! | there | there | while [another backend](spillover_core::layer::SelectedProtocol::may_move_on) would be asked |
//! | there | missing | never: no layer outside asks another backend |
//! | missing | | always: what sends requests to backends is not known here |
//!
//! # Cost
//!
//! A client gets the head of a stream with the first content, so it sees later that the request was taken, by at most
//! [`max_wait`](StreamPeekLayer::max_wait), or the deadline for the first content. The content comes no later.
//!
//! A stream in a coding is decoded once more than by the client, to its end if the request has a `Selected`: an error may
//! come late. That takes up to 3 µs for an event (gzip) and 50 KiB of memory for a stream. A stream that unfolds to more than
//! 100 times its size is not looked into any further.
//!
//! [`Report`]: spillover_hint::Report
//! [`Selected`]: spillover_core::Selected
//! [`Attempts::is_awaiting_body`]: spillover_core::layer::AttemptsProtocol::is_awaiting_body

mod attempt;
mod body;
mod event;
mod event_stream;
mod form;
mod future;
mod hold;

mod json;
mod judge;
mod late_error;
mod layer;
mod refusal;
mod refuse;
mod service;
mod sse;
#[cfg(test)]
mod tests;

pub use self::{body::PeekedBody, future::ResponseFuture, layer::StreamPeekLayer, service::Peek};
