use std::{pin::pin, sync::Arc};

use tokio::time::{Instant, sleep_until};

use super::slot::Slot;

/// Logs, once per token, that a token has expired before its successor came.
pub(super) struct ExpiryWatch {
    slot: Arc<Slot>,
    said: Option<Instant>,
}

impl ExpiryWatch {
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self { slot, said: None }
    }

    /// Watches the token while `future` runs. The future must not replace the token.
    pub(super) async fn during<F: Future>(&mut self, future: F) -> F::Output {
        let unsaid = |until: &Instant| self.said != Some(*until);
        let Some(until) = self.slot.valid_until().filter(unsaid) else {
            return future.await;
        };
        let mut future = pin!(future);
        tokio::select! {
            biased;
            output = &mut future => return output,
            () = sleep_until(until) => {}
        }
        self.said = Some(until);
        self.say();
        future.await
    }

    fn say(&self) {
        let status = self.slot.status();
        let failures = status.failures;
        let error = status.last_error.map(tracing::field::display);
        tracing::error!(error, failures, "Entra ID token expired");
    }
}
