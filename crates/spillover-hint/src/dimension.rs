use std::fmt;

use crate::value::fold::Folded;

/// What a limit counts.
///
/// An upstream limits several things at once, each with its own [`Period`](crate::Period): Groq counts requests by the day
/// and tokens by the minute. The reset of one says nothing about another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// The response does not say.
    #[default]
    Unspecified,
    /// Requests.
    Requests,
    /// Tokens, in and out together.
    Tokens,
    /// Tokens of the prompt, from Anthropic and Gemini.
    InputTokens,
    /// Tokens of the answer, from Anthropic.
    OutputTokens,
    /// Images of the prompt, from OpenAI's image models.
    InputImages,
    /// Requests of one project, from OpenAI.
    ProjectRequests,
    /// Tokens of one project, from OpenAI.
    ProjectTokens,
    /// `tokens_usage_based`, from OpenAI.
    UsageBasedTokens,
    /// Bytes of the prompt, from Anthropic.
    PromptBytes,
    /// Tokens of the prompt in Anthropic's priority tier. A request that does not fit is served by the standard tier.
    PriorityInputTokens,
    /// Tokens of the answer in Anthropic's priority tier.
    PriorityOutputTokens,
}

impl Dimension {
    /// Lower-case words with hyphens, fit for a log or the label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input-tokens",
            Self::OutputTokens => "output-tokens",
            Self::InputImages => "input-images",
            Self::ProjectRequests => "project-requests",
            Self::ProjectTokens => "project-tokens",
            Self::UsageBasedTokens => "usage-based-tokens",
            Self::PromptBytes => "prompt-bytes",
            Self::PriorityInputTokens => "priority-input-tokens",
            Self::PriorityOutputTokens => "priority-output-tokens",
        }
    }

    /// The dimension that the name of a field ends with, or that a field or a body names.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"requests" | b"Requests" => Self::Requests,
            b"tokens" | b"Tokens" | b"Token" => Self::Tokens,
            b"input-tokens" => Self::InputTokens,
            b"output-tokens" => Self::OutputTokens,
            _ => match Folded::new(name).as_bytes() {
                b"requests" | b"request" | b"req" | b"call" | b"calls" => Self::Requests,
                b"tokens" | b"token" => Self::Tokens,
                b"inputtokens" => Self::InputTokens,
                b"outputtokens" => Self::OutputTokens,
                b"inputimages" | b"images" => Self::InputImages,
                b"projectrequests" => Self::ProjectRequests,
                b"projecttokens" => Self::ProjectTokens,
                b"tokensusagebased" => Self::UsageBasedTokens,
                _ => return None,
            },
        })
    }

    pub(crate) const fn is_priority(self) -> bool {
        matches!(self, Self::PriorityInputTokens | Self::PriorityOutputTokens)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
