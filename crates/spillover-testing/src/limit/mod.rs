//! Models the rate limits that LLM services put on a deployment.
//!
//! | model | limits | answers |
//! |---|---|---|
//! | [`Payg`] | tokens per minute and requests in a short window, fixed or sliding | the remaining amounts; when refused, whole seconds to wait |
//! | [`Ptu`] | the level of a leaky bucket, corrected when the output is known | the utilization; when refused, milliseconds to wait |
//!
//! The models read no clock: `now` is the time since an instant of the caller's choice. Both follow Microsoft's
//! description of Azure OpenAI: its [quotas](https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota) and
//! [provisioned throughput](https://learn.microsoft.com/azure/ai-foundry/openai/concepts/provisioned-throughput).
//!
//! # Example
//!
//! ```
//! use spillover_testing::limit::{Dimension, Payg};
//! use std::time::Duration;
//!
//! let mut limit = Payg::new(1_000);
//! let admitted = limit.admit(Duration::ZERO, 400, 500).unwrap();
//! assert_eq!(admitted.headers()["x-ratelimit-remaining-tokens"], "100");
//!
//! let refused = limit.admit(Duration::from_secs(18), 400, 500).unwrap_err();
//! assert_eq!(refused.dimension, Dimension::Tokens);
//! assert_eq!(refused.headers()["retry-after"], "42");
//!
//! assert!(limit.admit(Duration::from_secs(60), 400, 500).is_ok());
//! ```

mod answer;
mod payg;
mod ptu;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

pub use self::{
    answer::{Admitted, Dimension, Refused},
    payg::Payg,
    ptu::Ptu,
};

/// One of the models.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// Pay as you go.
    Payg(Payg),
    /// Provisioned throughput.
    Ptu(Ptu),
}

impl Limit {
    /// Admits or refuses a request that arrives at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request exceeds the limit. A refused request consumes nothing.
    pub fn admit(
        &mut self,
        now: Duration,
        prompt_tokens: u64,
        max_tokens: u64,
    ) -> Result<Admitted, Refused> {
        match self {
            Self::Payg(payg) => payg.admit(now, prompt_tokens, max_tokens),
            Self::Ptu(ptu) => ptu.admit(now, prompt_tokens, max_tokens),
        }
    }

    /// Records the output tokens of an admitted request at its end.
    pub fn finish(&mut self, now: Duration, max_tokens: u64, output_tokens: u64) {
        match self {
            // A window keeps the estimate made at arrival.
            Self::Payg(_) => {}
            Self::Ptu(ptu) => ptu.finish(now, max_tokens, output_tokens),
        }
    }
}

impl From<Payg> for Limit {
    fn from(payg: Payg) -> Self {
        Self::Payg(payg)
    }
}

impl From<Ptu> for Limit {
    fn from(ptu: Ptu) -> Self {
        Self::Ptu(ptu)
    }
}
