use std::fmt;

/// The field or text in which a [`Candidate`](crate::Candidate) was found.
///
/// Displays as the name of the field, for a log or a metric label. Sources sort in the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// `x-amz-retry-after`, milliseconds, from AWS; its
    /// [SDKs](https://github.com/smithy-lang/smithy-rs/blob/main/rust-runtime/aws-smithy-runtime/src/client/retries/classifiers.rs) obey it.
    AmzRetryAfter,
    /// `grpc-retry-pushback-ms`, [gRPC proposal A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback).
    GrpcPushback,
    /// `retry-after`, [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3).
    RetryAfter,
    /// `x-retry-after`, used by gateways.
    XRetryAfter,
    /// `x-ratelimit-retry-after`, used by gateways.
    RateLimitRetryAfter,
    /// [`google.rpc.RetryInfo`](https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto) in the
    /// body of an answer (Gemini, Vertex AI) or in `grpc-status-details-bin`.
    RetryInfo,
    /// `resets_in_seconds` or `resets_at` in the body, for a window of hours or days.
    ///
    /// Sent to Codex, and read by [it](https://github.com/openai/codex/blob/main/codex-rs/protocol/src/error.rs).
    WindowReset,
    /// `x-ratelimit-reset` and `x-ratelimit-reset-*`; the candidate's [`Dimension`](crate::Dimension) names the limit.
    ///
    /// Described in [OpenAI's guide](https://platform.openai.com/docs/guides/rate-limits), in
    /// [Groq's](https://console.groq.com/docs/rate-limits) and, as an epoch, in
    /// [GitHub's](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
    Reset,
    /// `x-rate-limit-reset` and `x-rate-limit-reset-*`, the same with one more hyphen.
    ///
    /// Seen from Azure OpenAI, see [openai-python #937](https://github.com/openai/openai-python/issues/937).
    HyphenatedReset,
    /// `anthropic-ratelimit-*-reset`, described in [Anthropic's guide](https://docs.anthropic.com/en/api/rate-limits#response-headers).
    AnthropicReset,
    /// `ratelimit-reset`, from the
    /// [older drafts](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06) of the IETF.
    RateLimitReset,
    /// `ratelimit`, from the [newer drafts](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/) of the IETF.
    RateLimit,
    /// `ratelimitbysize-reset`, from Mistral.
    BySizeReset,
    /// `anthropic-priority-*-reset`, of the [priority tier](https://docs.anthropic.com/en/api/service-tiers).
    AnthropicPriorityReset,
    /// A sentence in the body, such as "Please try again in 20s."
    Prose,
}

impl Source {
    /// Returns the field's name in lower case, without the dimension that some names contain.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfterMs => "retry-after-ms",
            Self::MsRetryAfterMs => "x-ms-retry-after-ms",
            Self::AmzRetryAfter => "x-amz-retry-after",
            Self::GrpcPushback => "grpc-retry-pushback-ms",
            Self::RetryAfter => "retry-after",
            Self::XRetryAfter => "x-retry-after",
            Self::RateLimitRetryAfter => "x-ratelimit-retry-after",
            Self::RetryInfo => "retry-info",
            Self::WindowReset => "resets-in-seconds",
            Self::Reset => "x-ratelimit-reset",
            Self::HyphenatedReset => "x-rate-limit-reset",
            Self::AnthropicReset => "anthropic-ratelimit-reset",
            Self::RateLimitReset => "ratelimit-reset",
            Self::RateLimit => "ratelimit",
            Self::BySizeReset => "ratelimitbysize-reset",
            Self::AnthropicPriorityReset => "anthropic-priority-reset",
            Self::Prose => "prose",
        }
    }

    /// Returns true if the source states a wait for this request, not the renewal of a limit.
    pub(crate) fn is_stated(self) -> bool {
        self <= Self::WindowReset
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
