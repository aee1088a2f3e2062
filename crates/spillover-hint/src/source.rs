use std::fmt;

/// Where a [`Candidate`](crate::Candidate) was found.
///
/// It displays as the name of the field, fit for a log or the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `retry-after-ms`, from OpenAI and Azure OpenAI.
    ///
    /// Azure documents it for [provisioned throughput](https://learn.microsoft.com/azure/ai-foundry/openai/concepts/provisioned-throughput).
    RetryAfterMs,
    /// `x-ms-retry-after-ms`, from other Azure services.
    ///
    /// Cosmos DB [documents it](https://learn.microsoft.com/rest/api/cosmos-db/common-cosmosdb-rest-response-headers), and
    /// the [Azure SDK](https://github.com/Azure/azure-sdk-for-js/blob/main/sdk/core/ts-http-runtime/src/retryStrategies/throttlingRetryStrategy.ts)
    /// reads it between the other two.
    MsRetryAfterMs,
    /// `retry-after`, [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3).
    RetryAfter,
    /// `x-ratelimit-reset-requests` or `x-ratelimit-reset-tokens`; the [`Dimension`](crate::Dimension) tells which.
    ///
    /// Described in [OpenAI's guide](https://platform.openai.com/docs/guides/rate-limits) and
    /// [Groq's](https://console.groq.com/docs/rate-limits).
    Reset,
    /// `x-rate-limit-reset-requests` or `x-rate-limit-reset-tokens`, the same with one hyphen more.
    ///
    /// Seen from Azure OpenAI, see [openai-python #937](https://github.com/openai/openai-python/issues/937).
    HyphenatedReset,
}

impl Source {
    /// The name of the field, in lower case, without the dimension that some names end with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfterMs => "retry-after-ms",
            Self::MsRetryAfterMs => "x-ms-retry-after-ms",
            Self::RetryAfter => "retry-after",
            Self::Reset => "x-ratelimit-reset",
            Self::HyphenatedReset => "x-rate-limit-reset",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
