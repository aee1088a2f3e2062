//! Sends requests to backends: pooled connections, timeouts of the response head and between chunks of the body, and errors as
//! responses.
//!
//! * [`ConnectSettings`] describe the connections to a backend: TLS, CA bundle, [`Protocol`], connect timeout.
//! * A [`Dialer`] reads certificates once, and its [`Connector`]s open connections by TCP and TLS.
//! * [`Clients`] keep one pool of connections for all backends with equal settings, also over a reload.
//! * [`Upstream`] is the innermost service. It reads `Selected` in the extensions of the request, and sends the request by the
//!   client of that backend. Without it, the first client is used, and the URI says where the request goes.
//!
//! | event | response |
//! |---|---|
//! | no connection, or the connection breaks before a response | 502 |
//! | the backend did not process the request, e.g. at the end of a keep-alive connection | 502 with [`Unprocessed`](tower_spillover::connection::Unprocessed) |
//! | no response head within the timeout | 504 |
//! | no response head within the share of the client's own timeout, while another backend is open | 504 with an `Outcome` of class `Late` |
//! | the client has not sent its request within the timeout | 408 |
//!
//! The responses are [errors](crate::error) without a body, for `FinalResponse`. Messages for the client name no host; the
//! log has the details at `attempt failed`.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use spillover_core::{Backend, Pool};
//! use spillover_proxy::upstream::{Clients, ConnectSettings, Dialer, Upstream};
//! use spillover_testing::MockUpstream;
//! use tower::{Layer, ServiceExt};
//! use tower_spillover::stack::SpilloverLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = MockUpstream::builder().start().await?;
//! let pool = Pool::new([Backend::builder("mock").url(mock.url()).build()?])?;
//!
//! let settings = [ConnectSettings::new(false)];
//! let dialer = Dialer::new(&settings[0])?;
//! let clients = Clients::default().select(&settings, |settings| dialer.connector(settings));
//! let upstream = Upstream::new(clients.of_backends(&settings), Duration::from_secs(100));
//!
//! let service = SpilloverLayer::new(pool).layer(upstream);
//! let request = Request::get("/v1/models").body(Full::<Bytes>::default())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```

mod attempt;
mod body;
mod clients;
mod connector;
mod error;
mod exchange;
mod future;
mod keep_alive;
mod protocol;
mod service;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    body::UpstreamBody,
    clients::{BackendClient, ClientSet, Clients},
    connector::{Connecting, Connector, Dialer},
    future::ResponseFuture,
    keep_alive::KeepAlive,
    protocol::Protocol,
    service::Upstream,
    settings::{Authorities, Client, ConnectSettings},
};
