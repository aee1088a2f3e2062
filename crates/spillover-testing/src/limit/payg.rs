use std::time::Duration;

use super::{
    answer::{Admitted, Dimension, Refused},
    window::Window,
};

/// Models pay-as-you-go: a limit of tokens per minute, and a limit of requests in a shorter window.
///
/// A request costs its prompt and its `max_tokens`, estimated at arrival and never returned. It is admitted if both
/// windows have room. A request larger than the whole token limit is admitted if the token window is empty.
#[derive(Clone, Debug)]
#[must_use]
pub struct Payg {
    tpm: u64,
    rpm: u64,
    token_window: Duration,
    request_window: Duration,
    tokens: Window,
    requests: Window,
}

impl Payg {
    /// Creates a limit of `tpm` tokens per minute and 6 requests per minute for each 1,000 tokens, as Azure grants for
    /// most models. Requests are counted over 10 s. The windows are fixed and start at 0.
    pub fn new(tpm: u64) -> Self {
        Self {
            tpm,
            rpm: tpm.saturating_mul(6).div_ceil(1_000),
            token_window: Duration::from_secs(60),
            request_window: Duration::from_secs(10),
            tokens: Window::fixed(Duration::ZERO),
            requests: Window::fixed(Duration::ZERO),
        }
    }

    /// Sets the number of requests per minute.
    pub fn rpm(mut self, rpm: u64) -> Self {
        self.rpm = rpm;
        self
    }

    /// Counts requests over `window`, with the same rate per minute. Azure uses 10 s or 1 s.
    ///
    /// # Panics
    ///
    /// Panics if `window` is zero.
    pub fn request_window(mut self, window: Duration) -> Self {
        assert!(!window.is_zero(), "a window has a width");
        self.request_window = window;
        self
    }

    /// Counts tokens over `window`, with the same rate per minute. A test or demonstration may use less than the real
    /// 60 s.
    ///
    /// # Panics
    ///
    /// Panics if `window` is zero.
    pub fn token_window(mut self, window: Duration) -> Self {
        assert!(!window.is_zero(), "a window has a width");
        self.token_window = window;
        self
    }

    /// Uses fixed windows that start at these times, and repeat before and after.
    pub fn fixed(mut self, token_phase: Duration, request_phase: Duration) -> Self {
        self.tokens = Window::fixed(token_phase);
        self.requests = Window::fixed(request_phase);
        self
    }

    /// Uses sliding windows: an admitted request stops counting one window's width later.
    pub fn sliding(mut self) -> Self {
        self.tokens = Window::sliding();
        self.requests = Window::sliding();
        self
    }

    /// Admits or refuses a request that arrives at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`] if a window has no room. A refused request consumes nothing.
    pub fn admit(
        &mut self,
        now: Duration,
        prompt_tokens: u64,
        max_tokens: u64,
    ) -> Result<Admitted, Refused> {
        let cost = prompt_tokens.saturating_add(max_tokens);
        let token_limit = share(self.tpm, self.token_window);
        let request_limit = share(self.rpm, self.request_window);

        let tokens = self.tokens.wait(now, self.token_window, cost, token_limit);
        let requests = self
            .requests
            .wait(now, self.request_window, 1, request_limit);
        if let Some(wait) = tokens.max(requests) {
            let dimension = if tokens >= requests {
                Dimension::Tokens
            } else {
                Dimension::Requests
            };
            return Err(Refused { wait, dimension });
        }
        self.tokens.spend(now, cost);
        self.requests.spend(now, 1);
        Ok(Admitted {
            remaining_tokens: Some(token_limit.saturating_sub(self.tokens.used())),
            remaining_requests: Some(request_limit.saturating_sub(self.requests.used())),
            utilization: None,
        })
    }
}

/// Returns the part of a limit per minute that one window allows. Never 0, which would refuse forever.
fn share(per_minute: u64, window: Duration) -> u64 {
    let nanos = u128::from(per_minute) * window.as_nanos();
    let share = nanos.div_ceil(Duration::from_secs(60).as_nanos());
    u64::try_from(share).unwrap_or(u64::MAX).max(1)
}
