use std::{fmt, time::Duration};

use super::Failure;

/// A source of tokens.
pub trait Source: Send + 'static {
    /// Asks for a token. A call that takes too long is dropped and made again later.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no token.
    fn token(&mut self) -> impl Future<Output = Result<Fresh, Failure>> + Send;
}

/// A new token.
pub struct Fresh {
    pub(super) token: String,
    pub(super) valid_for: Duration,
    pub(super) source: &'static str,
}

impl Fresh {
    /// Creates a token that expires after `valid_for`. The name of the source is logged.
    pub fn new(token: impl Into<String>, valid_for: Duration, source: &'static str) -> Self {
        Self {
            token: token.into(),
            valid_for,
            source,
        }
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh")
            .field("valid_for", &self.valid_for)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
