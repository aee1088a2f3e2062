//! A request or response body that plays a script.
//!
//! A [`ScriptedBody`] yields the steps of its builder in order: data, trailers, an error, one `Pending`, or `Pending`
//! until its [`BodyHandle`] resumes it. The handle also counts the frames that were read, and shows if the body was
//! dropped early.
//!
//! # Example
//!
//! ```
//! use http_body_util::BodyExt;
//! use spillover_testing::ScriptedBody;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let body = ScriptedBody::new().data("one ").pending().data("two").error("reset by peer");
//! let handle = body.handle();
//!
//! let error = body.collect().await.unwrap_err();
//!
//! assert_eq!(error.to_string(), "reset by peer");
//! assert_eq!((handle.data_frames(), handle.data_bytes()), (2, 7));
//! assert!(!handle.dropped_early());
//! # }
//! ```
//!
//! With [`pause`](ScriptedBody::pause), the handle becomes the sending half:
//!
//! ```
//! use http_body::Body;
//! use http_body_util::BodyExt;
//! use spillover_testing::ScriptedBody;
//! use tokio_test::{assert_pending, assert_ready, task};
//!
//! let mut body = ScriptedBody::new().pause();
//! let handle = body.handle();
//!
//! let mut frame = task::spawn(body.frame());
//! assert_pending!(frame.poll());
//! handle.push_data("now");
//! assert!(frame.is_woken());
//! assert_eq!(assert_ready!(frame.poll()).unwrap().unwrap().into_data().unwrap(), "now");
//! drop(frame);
//!
//! handle.resume();
//! assert!(body.is_end_stream());
//! ```

mod error;
mod handle;
mod script;
mod scripted;
#[cfg(test)]
mod tests;

pub use self::{error::ScriptedError, handle::BodyHandle, scripted::ScriptedBody};
