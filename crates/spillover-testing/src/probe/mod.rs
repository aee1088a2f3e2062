//! An inner service that detects breaches of the readiness contract.
//!
//! Test layers against a [`Probe`]. It is stricter than `tower::service_fn`:
//!
//! * a clone starts **unready**, as a clone of `ConcurrencyLimit` or `Buffer` does;
//! * `call` consumes readiness, so the next call needs another `poll_ready`;
//! * `call` on an instance that is not ready is counted and panics;
//! * a [`ProbeHandle`] withholds readiness or makes it fail, and reads the counters.
//!
//! # Example
//!
//! ```
//! use http::{Request, Response};
//! use spillover_testing::Probe;
//! use std::convert::Infallible;
//! use tokio_test::{assert_pending, assert_ready_ok, task};
//! use tower_service::Service;
//!
//! let mut probe = Probe::new(|req: Request<&'static str>| async move {
//!     Ok::<_, Infallible>(Response::new(req.into_body()))
//! });
//! let handle = probe.handle();
//!
//! handle.set_pending();
//! let mut ready = task::spawn(());
//! assert_pending!(ready.enter(|cx, _| probe.poll_ready(cx)));
//!
//! handle.set_ready();
//! assert!(ready.is_woken());
//! assert_ready_ok!(ready.enter(|cx, _| probe.poll_ready(cx)));
//!
//! let mut response = task::spawn(probe.call(Request::new("ping")));
//! assert_eq!(handle.in_flight(), 1);
//! assert_eq!(*assert_ready_ok!(response.poll()).body(), "ping");
//!
//! let clone = probe.clone();
//! assert_eq!((handle.instances(), handle.reserved()), (2, 0));
//! # drop(clone);
//! ```
//!
//! A layer that calls a clone without polling it is detected:
//!
//! ```should_panic
//! use http::{Request, Response};
//! use spillover_testing::Probe;
//! use std::convert::Infallible;
//! use tower_service::Service;
//!
//! let probe = Probe::new(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
//! let _ = probe.clone().call(Request::new(()));
//! ```

mod future;
mod handle;
mod service;
mod state;
#[cfg(test)]
mod tests;

pub use self::{future::ResponseFuture, handle::ProbeHandle, service::Probe};
