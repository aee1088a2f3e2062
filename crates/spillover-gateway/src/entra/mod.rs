//! Entra ID tokens for backends.
//!
//! * [`Identity`] reads the identity of the gateway from the environment: a client secret, a workload identity, a managed
//!   identity, or the sign-in of a developer tool. As a [`Source`], it gets tokens by the crate `azure_identity`.
//! * [`Tokens`] shares the token of a source among all threads. A background task replaces it before it expires, so that no
//!   request waits for a token. A token is used until it expires, also when the source fails.
//! * [`Status`] has the state of the source, [`Missing`] the reason why there is no token. Neither shows a token.
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

mod audience;
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

pub(crate) use self::audience::{audience_of, scope_of};
pub use self::{
    error::{Failure, Missing, Unusable},
    identity::{Identity, SCOPE},
    slot::Status,
    source::{Fresh, Source},
    tokens::Tokens,
};
