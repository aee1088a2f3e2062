//! Entra ID tokens for backends.
//!
//! * [`Identity`] finds in the environment who the gateway is: a client secret, a workload identity, a managed identity, or
//!   who is signed in with the developer's tools. As a [`Source`] it asks for tokens through the crate `azure_identity`.
//! * [`Tokens`] holds the token of a source for all threads. A task of its own asks for the next one ahead of time, so that
//!   no request ever waits for a token. It keeps a token as long as that is valid, whatever becomes of the source.
//! * [`Status`] says how it stands, [`Missing`] why there is no token. Neither can show one.
//!
//! ```
//! use std::time::Duration;
//!
//! use spillover_gateway::entra::{Failure, Fresh, Source, Tokens};
//! use tower_spillover::select::ThreadDraw;
//!
//! struct Vending(u32);
//!
//! impl Source for Vending {
//!     async fn token(&mut self) -> Result<Fresh, Failure> {
//!         self.0 += 1;
//!         let token = format!("token-{}", self.0);
//!         Ok(Fresh::new(token, Duration::from_secs(3600), "vending machine"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let tokens = Tokens::start(Vending(0), ThreadDraw::default());
//! assert!(tokens.bearer().is_err());
//!
//! tokens.first(Duration::from_secs(5)).await.unwrap();
//! let bearer = tokens.bearer().unwrap();
//! assert_eq!(bearer, "Bearer token-1");
//! assert!(bearer.is_sensitive());
//! assert_eq!(tokens.status().source, Some("vending machine"));
//! # }
//! ```

mod candidate;
mod error;
mod expiry;
mod identity;
mod refresh;
mod schedule;
mod slot;
mod source;
mod tokens;
mod transport;

#[cfg(test)]
mod tests;

pub use self::{
    error::{Failure, Missing, Unusable},
    identity::{Identity, SCOPE},
    slot::Status,
    source::{Fresh, Source},
    tokens::Tokens,
};
