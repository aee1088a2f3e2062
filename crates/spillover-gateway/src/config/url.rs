//! Recognizes APIs and their operations by the URL of a backend.

use http::{Uri, uri::Authority};
use spillover_core::{Backend, BackendKind};

/// An API. A backend with another one cannot serve its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Anthropic,
    Gemini,
    Bedrock,
    Cohere,
}

impl Family {
    /// Returns the API of a backend, by its kind and its URL. `None`: the backend has several, or the API is not known.
    pub(super) fn of_backend(backend: &Backend) -> Option<Self> {
        let base = backend.base_path().to_ascii_lowercase();
        // Azure AI Foundry and others have Anthropic's API there, beside their own.
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

    /// Returns the API of a host that has only one.
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

    /// Returns the name of the provider, for a sentence such as "has the API of OpenAI".
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

/// A URL that is one operation of an API, as portals show it to be copied ("target URI"), and not the base of the API.
///
/// `https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21` has the base
/// `https://x.openai.azure.com`, and the deployment `gpt-4o`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) base: String,
    pub(super) deployment: Option<String>,
}

impl Operation {
    /// Takes a URL apart. `None`: a base, or no URL.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        // The part before an `@` may be a password.
        if authority.as_str().contains('@') {
            return None;
        }
        let (base_path, deployment) =
            base_and_deployment(authority, uri.path().trim_end_matches('/'))?;
        Some(Self {
            base: format!("{scheme}://{authority}{base_path}"),
            deployment: deployment.map(str::to_owned),
        })
    }

    /// Returns a message with the base, which belongs in its place.
    pub(super) fn advice(&self) -> String {
        let Self { base, deployment } = self;
        let mut advice = format!("one operation, not the base of an API; expected {base}");
        if let Some(deployment) = deployment {
            advice += &format!(
                ", and {deployment} as DEPLOYMENT_NAME (in a file deployment) if all requests are for it"
            );
        }
        advice
    }
}

/// Returns the path of the base, and the deployment.
fn base_and_deployment<'a>(
    authority: &Authority,
    path: &'a str,
) -> Option<(&'a str, Option<&'a str>)> {
    let lower = path.to_ascii_lowercase();
    if let Some(at) = lower.find(DEPLOYMENTS) {
        let deployment = path[at + DEPLOYMENTS.len()..].split('/').next();
        return Some((&path[..at], deployment.filter(|name| !name.is_empty())));
    }
    let without = |end: &&str| lower.strip_suffix(end).map(str::len);
    let mut length = OPERATIONS.iter().find_map(without)?;
    let roots: &[&str] = match BackendKind::of_host(authority.host()) {
        BackendKind::Azure => &["/openai/v1", "/openai", "/anthropic/v1", "/models"],
        _ => &["/v1"],
    };
    if let Some(root) = roots.iter().find(|root| lower[..length].ends_with(**root)) {
        length -= root.len();
    }
    Some((&path[..length], None))
}

const DEPLOYMENTS: &str = "/openai/deployments/";

/// The operations that take prompts, longer ones first.
const OPERATIONS: [&str; 9] = [
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/generations",
    "/messages",
    "/responses",
];
