//! TLS for listeners, with certificates that can be reloaded.
//!
//! * TLS 1.3 and 1.2. ALPN offers `h2` and `http/1.1`.
//! * Client certificates are not asked for, optional or required.
//! * A reload applies to later handshakes. Open connections stay as they are. If a file is invalid, the reload fails and the
//!   certificates before it stay in use.
//! * Errors name the file and the expected contents. They never quote a file, since it may hold a key.

mod acceptor;
mod error;
mod files;
#[cfg(test)]
mod tests;

pub use self::{acceptor::Acceptor, error::TlsError, files::authorities};
