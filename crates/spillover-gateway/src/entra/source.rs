use std::{fmt, time::Duration};

use super::Failure;

/// Where tokens come from.
pub trait Source: Send + 'static {
    /// Asks for a token. What takes too long is dropped, and asked for anew later.
    fn token(&mut self) -> impl Future<Output = Result<Fresh, Failure>> + Send;
}

/// A token as it came.
pub struct Fresh {
    pub(super) token: String,
    pub(super) valid_for: Duration,
    pub(super) source: &'static str,
}

impl Fresh {
    /// A token that expires after this time. The source is named in the log.
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
