use std::time::Duration;

use super::answer::{Admitted, Dimension, Refused};

/// Models provisioned throughput: a bucket that drains at a constant rate.
///
/// A request of any size is admitted while the level is at most the capacity, so short bursts exceed 100 %. It adds its
/// prompt and its weighted `max_tokens`. [`finish`](Self::finish) corrects the latter.
#[derive(Clone, Debug)]
#[must_use]
pub struct Ptu {
    drain_per_s: f64,
    capacity: f64,
    output_weight: f64,
    level: f64,
    at: Duration,
}

impl Ptu {
    /// Creates a bucket that drains `drain_per_s` input tokens, or their equivalent, per second. Its capacity is 15 s
    /// of draining. One output token weighs as much as 3 input tokens.
    ///
    /// The real capacity is not public; 15 s is a guess.
    ///
    /// # Panics
    ///
    /// Panics if `drain_per_s` is 0.
    pub fn new(drain_per_s: u32) -> Self {
        assert!(drain_per_s > 0, "a bucket drains");
        let drain_per_s = f64::from(drain_per_s);
        Self {
            drain_per_s,
            capacity: 15.0 * drain_per_s,
            output_weight: 3.0,
            level: 0.0,
            at: Duration::ZERO,
        }
    }

    /// Sets the capacity, in input tokens.
    pub fn capacity(mut self, capacity: u32) -> Self {
        self.capacity = f64::from(capacity);
        self
    }

    /// Sets the weight of an output token, in input tokens.
    pub fn output_weight(mut self, output_weight: u32) -> Self {
        self.output_weight = f64::from(output_weight);
        self
    }

    /// Admits or refuses a request that arrives at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the bucket is above its capacity. A refused request adds nothing.
    pub fn admit(
        &mut self,
        now: Duration,
        prompt_tokens: u64,
        max_tokens: u64,
    ) -> Result<Admitted, Refused> {
        self.drain(now);
        if self.level > self.capacity {
            let wait = (self.level - self.capacity) / self.drain_per_s;
            return Err(Refused {
                wait: Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX),
                dimension: Dimension::Capacity,
            });
        }
        self.level += tokens(prompt_tokens) + self.output_weight * tokens(max_tokens);
        Ok(Admitted {
            remaining_tokens: None,
            remaining_requests: None,
            utilization: Some(100.0 * self.level / self.capacity),
        })
    }

    /// Corrects the level at the end of an admitted request that produced `output_tokens`.
    pub fn finish(&mut self, now: Duration, max_tokens: u64, output_tokens: u64) {
        self.drain(now);
        let surplus = tokens(output_tokens) - tokens(max_tokens);
        self.level = (self.level + self.output_weight * surplus).max(0.0);
    }

    fn drain(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level - self.drain_per_s * elapsed).max(0.0);
        self.at = self.at.max(now);
    }
}

/// Converts a number of tokens. Exact up to 2^32 - 1 tokens, which no request has.
fn tokens(tokens: u64) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX))
}
