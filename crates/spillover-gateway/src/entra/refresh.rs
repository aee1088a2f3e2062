use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tower_spillover::select::Draw;

use super::{
    Failure, Fresh, Source,
    expiry::ExpiryWatch,
    schedule::{refresh_in, retry_in},
    slot::{Held, Slot},
};

/// The background task that asks for tokens, one at a time.
pub(super) struct Refresh<S, D> {
    source: S,
    draw: D,
    slot: Arc<Slot>,
    came: watch::Sender<bool>,
}

impl<S, D> Refresh<S, D>
where
    S: Source,
    D: Draw,
{
    pub(super) fn new(source: S, draw: D, slot: Arc<Slot>, came: watch::Sender<bool>) -> Self {
        Self {
            source,
            draw,
            slot,
            came,
        }
    }

    pub(super) async fn run(mut self) {
        let mut expiry = ExpiryWatch::new(Arc::clone(&self.slot));
        loop {
            let answer = expiry.during(self.ask()).await;
            let wait = self.record(answer, Instant::now());
            expiry.during(sleep(wait)).await;
        }
    }

    async fn ask(&mut self) -> Result<Fresh, Failure> {
        match timeout(CALL_LIMIT, self.source.token()).await {
            Ok(answer) => answer,
            Err(_) => {
                let seconds = CALL_LIMIT.as_secs();
                Err(Failure::new(format!("no answer within {seconds} s")))
            }
        }
    }

    /// Records an answer, and returns the time until the next call.
    fn record(&self, answer: Result<Fresh, Failure>, now: Instant) -> Duration {
        let held = answer.and_then(|fresh| Ok((Held::new(&fresh, now)?, fresh)));
        match held {
            Ok((held, fresh)) => self.record_token(held, &fresh),
            Err(failure) => self.record_failure(failure, now),
        }
    }

    fn record_token(&self, held: Held, fresh: &Fresh) -> Duration {
        let failures = self.slot.status().failures;
        self.slot.put(held);
        self.came.send_replace(true);

        let valid_for_s = fresh.valid_for.as_secs();
        let source = fresh.source;
        let wait = refresh_in(fresh.valid_for, self.draw.draw());
        let refresh_in_s = wait.as_secs();
        tracing::info!(
            source,
            valid_for_s,
            refresh_in_s,
            failures,
            "Entra ID token acquired"
        );
        wait
    }

    fn record_failure(&self, failure: Failure, now: Instant) -> Duration {
        let failures = self.slot.fail(failure.clone(), now);
        let wait = retry_in(failures, self.draw.draw());
        let valid_until = self.slot.valid_until().unwrap_or(now);
        let valid_for_s = valid_until.saturating_duration_since(now).as_secs();
        let retry_in_ms = wait.as_millis() as u64;
        tracing::warn!(
            error = %failure,
            failures,
            valid_for_s,
            retry_in_ms,
            "Entra ID token refresh failed"
        );
        wait
    }
}

/// Longest time for one answer. The developer tools take seconds; other sources that take longer have failed.
const CALL_LIMIT: Duration = Duration::from_secs(20);
