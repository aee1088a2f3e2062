//! Accepts connections until told to stop, and finishes what is under way.
//!
//! * [`Server`] binds the listeners, in clear text or with TLS, and serves them on one thread for each core. Each thread
//!   takes connections from all of them whenever it has time.
//! * A connection speaks HTTP/1.1 or HTTP/2. What clients may take is bounded by
//!   [`Connections`]: their number, and how long they may do nothing.
//! * On the way out the server passes through [`Phase`]s, that a [`Phases`] tells to who wants to know.
//!
//! Requests have these extensions:
//!
//! | value | when |
//! |---|---|
//! | [`Tunnels`] | the client asks for another protocol |
//! | [`ClientFingerprint`] | the client has shown a certificate |

mod accept;
mod body;
mod connection;
mod limit;
mod listen_addr;
mod options;
mod phase;
mod server;
mod signals;
mod threads;
mod tunnels;

pub(crate) use self::{body::BodyTimeout, signals::Signals, threads::one_thread};
pub use self::{
    body::{RequestBody, ResponseBody},
    connection::ClientFingerprint,
    listen_addr::ListenAddr,
    options::{ClientCertificate, Connections, Listener, Shutdown, Tls},
    phase::{Phase, Phases},
    server::{Server, StartError},
    tunnels::Tunnels,
};
