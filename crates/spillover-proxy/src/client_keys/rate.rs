use std::{fmt, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

/// Rate limit of a client: a token bucket with the size of a minute, refilled continuously. Providers limit in the same
/// way ("continuously replenished", <https://docs.anthropic.com/en/api/rate-limits>).
pub(super) struct Rate {
    per_minute: NonZeroU32,
    limiter: RateLimiter<NotKeyed, InMemoryState, Since, NoOpMiddleware<Duration>>,
}

impl Rate {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let clock = Since(Instant::now());
        Self {
            per_minute,
            limiter: RateLimiter::direct_with_clock(Quota::per_minute(per_minute), clock),
        }
    }

    pub(super) fn per_minute(&self) -> NonZeroU32 {
        self.per_minute
    }

    /// Counts a request, or returns the time until the next one is permitted: at most a minute.
    pub(super) fn check(&self) -> Result<(), Duration> {
        let refused = self.limiter.check();
        refused.map_err(|not_until| not_until.wait_time_from(self.limiter.clock().now()))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per minute", self.per_minute)
    }
}

/// Tokio's clock, which tests can pause, as the time since an instant.
struct Since(Instant);

impl Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.0)
    }
}
