use std::time::Duration;

use super::{
    answer::{Admitted, Dimension, Refused},
    window::Window,
};

/// Pay as you go: so many tokens a minute, and so many requests in a shorter window.
///
/// A request costs its prompt and its `max_tokens`, estimated at arrival and never given back. It is
/// admitted if both windows have room; one larger than the whole token limit, if no token has been
/// spent in the window.
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
    /// A limit of `tpm` tokens a minute and, as Azure grants for most models, 6 requests a minute for
    /// each 1,000 tokens; requests are counted over 10 s. The windows are fixed, and start at 0.
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

    /// Another number of requests a minute.
    pub fn rpm(mut self, rpm: u64) -> Self {
        self.rpm = rpm;
        self
    }

    /// Counts requests over `window`, with the same share of the requests a minute. Azure uses 10 s
    /// or 1 s.
    ///
    /// # Panics
    ///
    /// If `window` is zero.
    pub fn request_window(mut self, window: Duration) -> Self {
        assert!(!window.is_zero(), "a window has a width");
        self.request_window = window;
        self
    }

    /// Counts tokens over `window`, with the same share of the tokens a minute: shorter than the
    /// real 60 s where a test or a demonstration cannot wait so long.
    ///
    /// # Panics
    ///
    /// If `window` is zero.
    pub fn token_window(mut self, window: Duration) -> Self {
        assert!(!window.is_zero(), "a window has a width");
        self.token_window = window;
        self
    }

    /// Fixed windows that start at these times, and every window's width before and after.
    pub fn fixed(mut self, token_phase: Duration, request_phase: Duration) -> Self {
        self.tokens = Window::fixed(token_phase);
        self.requests = Window::fixed(request_phase);
        self
    }

    /// Sliding windows: what was admitted stops counting one window's width later.
    pub fn sliding(mut self) -> Self {
        self.tokens = Window::sliding();
        self.requests = Window::sliding();
        self
    }

    /// Decides about a request that arrives at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`] if a window has no room for it; nothing is consumed then.
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

/// What a limit per minute allows in one window. Never 0, which would refuse for ever.
fn share(per_minute: u64, window: Duration) -> u64 {
    let nanos = u128::from(per_minute) * window.as_nanos();
    let share = nanos.div_ceil(Duration::from_secs(60).as_nanos());
    u64::try_from(share).unwrap_or(u64::MAX).max(1)
}
