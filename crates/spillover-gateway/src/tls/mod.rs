//! TLS for listeners, from files that may change while the gateway runs.
//!
//! * TLS 1.3 and 1.2, and over them the protocol that the client prefers: `h2` or `http/1.1`.
//! * Clients may show a certificate, or have to.
//! * What changes counts for handshakes to come; connections stay as they are. A file that is no good is refused, and what
//!   was there before it goes on.
//! * Errors name the file and what was expected there. They never hold anything of it: it may be a key.

mod acceptor;
mod error;
mod files;
#[cfg(test)]
mod tests;

pub(crate) use self::files::authorities;
pub use self::{acceptor::Acceptor, error::TlsError};
