//! An HTTP server for Tower services: many connections in little memory, slow clients, TLS with reload, graceful shutdown.
//!
//! * [`Server`] binds listeners, in clear text or with TLS, and serves them on one thread for each core. Each thread accepts
//!   connections from all listeners when it has time, and has a service of its own.
//! * A connection speaks HTTP/1.1 or HTTP/2. [`Connections`] limits their number and their size, and times for slow clients.
//!   An idle connection keeps no buffer: about 4 KiB, where hyper alone keeps about 20 KiB.
//! * A shutdown passes through the [`Phase`]s, which a [`Phases`] reports, e.g. to a readiness check.
//! * [`tls::Acceptor`] reads certificates again while the server runs. [`Server::acceptors`] returns the ones in use.
//! * The module `reload` (feature `reload`) reads a configuration again when its files change, and at SIGHUP.
//!
//! The service never fails: errors are responses. Layers such as tower-http's `CatchPanicLayer` turn failures into responses.
//!
//! # Extensions
//!
//! Requests have these extensions:
//!
//! | value | present when |
//! |---|---|
//! | [`TaskSpawner`] | the client asks for an upgrade (HTTP/1.1 `upgrade`) |
//! | [`ClientFingerprint`] | the client has a TLS certificate |
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, net::SocketAddr};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use spillover_serve::{Connections, Listener, RequestBody, Server, Shutdown};
//! use tokio::sync::oneshot;
//! use tower::service_fn;
//!
//! async fn hello(_: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     Ok(Response::new(Full::from("hello")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = Listener {
//!     address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
//!     tls: None,
//! };
//! let server = Server::bind(&[listener], Connections::default(), Shutdown::default()).await?;
//! let address = server.addresses()?[0];
//!
//! // The first stop begins the shutdown. The server would call it a second time to end at once.
//! let (stop, stopped) = oneshot::channel::<()>();
//! let mut stopped = Some(stopped);
//! let server = tokio::spawn(server.run(
//!     || service_fn(hello),
//!     async move || match stopped.take() {
//!         Some(stopped) => drop(stopped.await),
//!         None => std::future::pending().await,
//!     },
//! ));
//!
//! let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//! let response = client.get(format!("http://{address}/").parse()?).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//!
//! stop.send(()).unwrap();
//! server.await??;
//! # Ok(())
//! # }
//! ```

mod accept;
mod body;
mod connection;
mod limit;
mod listen_addr;
mod options;
mod phase;
#[cfg(feature = "reload")]
pub mod reload;
mod server;
mod service;
mod signals;
mod spawner;
mod threads;
pub mod tls;

pub use self::{
    body::{BodyTimeout, RequestBody, ResponseBody},
    connection::ClientFingerprint,
    listen_addr::ListenAddr,
    options::{ClientCertificate, Connections, Listener, Shutdown, Tls},
    phase::{Phase, Phases},
    server::{Server, StartError},
    service::HttpService,
    signals::Signals,
    spawner::TaskSpawner,
    threads::one_thread,
};

/// An error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
