use std::fmt;

use crate::value::fold::Folded;

/// The quantity that a limit counts.
///
/// An upstream has several limits at once, each with its own [`Period`](crate::Period). For example, Groq counts
/// requests per day and tokens per minute. The reset of one says nothing about another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// Not stated by the response.
    #[default]
    Unspecified,
    /// Requests.
    Requests,
    /// Tokens, input and output together.
    Tokens,
    /// Input tokens, from Anthropic and Gemini.
    InputTokens,
    /// Output tokens, from Anthropic.
    OutputTokens,
    /// Input images, from OpenAI's image models.
    InputImages,
    /// Requests of one project, from OpenAI.
    ProjectRequests,
    /// Tokens of one project, from OpenAI.
    ProjectTokens,
    /// `tokens_usage_based`, from OpenAI.
    UsageBasedTokens,
    /// Bytes of input, from Anthropic.
    PromptBytes,
    /// Input tokens in Anthropic's priority tier. A request over this limit is served by the standard tier.
    PriorityInputTokens,
    /// Output tokens in Anthropic's priority tier.
    PriorityOutputTokens,
}

impl Dimension {
    /// Returns lower-case words with hyphens, for a log or a metric label.
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

    /// Returns the dimension for the end of a field's name, or for a value that names one.
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
