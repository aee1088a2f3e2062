use spillover_core::{Backend, BackendKind};

/// An API whose requests no backend of another one can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Anthropic,
    Gemini,
    Bedrock,
    Cohere,
}

impl Family {
    /// The API that a backend speaks, by its kind and its URL; `None` where several are there, or it is not known.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        let base = backend.base_path().to_ascii_lowercase();
        // Many have Anthropic's API beside their own there, as Azure AI Foundry has.
        if base.ends_with("/anthropic") || base.ends_with("/anthropic/v1") {
            return Some(Self::Anthropic);
        }
        // Gemini's and Vertex AI's OpenAI-compatible APIs, Groq's and others.
        let is_openai = |end: &&str| base.ends_with(end);
        if ["/openai", "/openai/v1", "/openapi"].iter().any(is_openai) {
            return Some(Self::OpenAi);
        }
        let host = backend.authority().host().to_ascii_lowercase();
        match backend.kind() {
            // A resource of Azure AI Foundry has Claude's API as well.
            BackendKind::Azure if host.contains(".services.ai.azure.") => None,
            BackendKind::Azure | BackendKind::OpenAi => Some(Self::OpenAi),
            _ => Self::of_host(&host),
        }
    }

    /// The APIs of hosts that have one only.
    fn of_host(host: &str) -> Option<Self> {
        let is_bedrock =
            host.starts_with("bedrock-runtime.") || host.starts_with("bedrock-runtime-");
        Some(match host {
            "api.anthropic.com" => Self::Anthropic,
            "generativelanguage.googleapis.com" => Self::Gemini,
            "api.cohere.com" | "api.cohere.ai" => Self::Cohere,
            "api.cerebras.ai" | "api.groq.com" | "api.mistral.ai" => Self::OpenAi,
            _ if is_bedrock && host.contains(".amazonaws.com") => Self::Bedrock,
            _ => return None,
        })
    }

    /// The name of the provider, for a sentence such as "has the API of OpenAI".
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Bedrock => "Bedrock",
            Self::Cohere => "Cohere",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_tells_the_api() {
        for (url, expected) in [
            ("https://x.openai.azure.com", Some(Family::OpenAi)),
            (
                "https://x.services.ai.azure.com/anthropic",
                Some(Family::Anthropic),
            ),
            ("https://x.services.ai.azure.com", None),
            (
                "https://x.services.ai.azure.com/openai/v1",
                Some(Family::OpenAi),
            ),
            ("https://api.openai.com/v1", Some(Family::OpenAi)),
            ("https://api.groq.com/openai", Some(Family::OpenAi)),
            ("https://API.Anthropic.com", Some(Family::Anthropic)),
            (
                "https://generativelanguage.googleapis.com",
                Some(Family::Gemini),
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai/",
                Some(Family::OpenAi),
            ),
            (
                "https://bedrock-runtime.us-east-1.amazonaws.com",
                Some(Family::Bedrock),
            ),
            ("https://api.cohere.com", Some(Family::Cohere)),
            ("https://openrouter.ai/api", None),
            ("http://127.0.0.1:8000", None),
        ] {
            let backend = Backend::builder("b").url(url).build().unwrap();
            assert_eq!(Family::of(&backend), expected, "{url}");
        }
    }
}
