use http::{Uri, uri::Authority};
use spillover_core::BackendKind;

/// A URL that is one operation of an API, as portals show it to be copied ("target URI"), and not the base of the API.
///
/// `https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21` has the base
/// `https://x.openai.azure.com`, and the deployment `gpt-4o`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation {
    base: String,
    deployment: Option<String>,
}

impl Operation {
    /// `None` for a base, and for what is no URL.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        // The part before an `@` may be a password.
        if authority.as_str().contains('@') {
            return None;
        }
        let (base_path, deployment) = taken_apart(authority, uri.path().trim_end_matches('/'))?;
        Some(Self {
            base: format!("{scheme}://{authority}{base_path}"),
            deployment: deployment.map(str::to_owned),
        })
    }

    /// Says that it is one, and what belongs in its place.
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

/// The path of the base, and the deployment.
fn taken_apart<'a>(authority: &Authority, path: &'a str) -> Option<(&'a str, Option<&'a str>)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Option<(String, Option<String>)> {
        Operation::of_url(url).map(|operation| (operation.base, operation.deployment))
    }

    #[test]
    fn base_of_an_operation_is_told() {
        for (url, expected, deployment) in [
            (
                "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                "https://x.openai.azure.com",
                Some("gpt-4o"),
            ),
            (
                "https://x.openai.azure.com/OpenAI/Deployments/gpt-4o/",
                "https://x.openai.azure.com",
                Some("gpt-4o"),
            ),
            (
                "https://apim.example/team/openai/deployments/d/embeddings",
                "https://apim.example/team",
                Some("d"),
            ),
            (
                "https://x.openai.azure.com/openai/responses?api-version=2025-04-01-preview",
                "https://x.openai.azure.com",
                None,
            ),
            (
                "https://x.openai.azure.com/openai/v1/chat/completions",
                "https://x.openai.azure.com",
                None,
            ),
            (
                "https://x.services.ai.azure.com/models/chat/completions?api-version=1",
                "https://x.services.ai.azure.com",
                None,
            ),
            (
                "https://x.services.ai.azure.com/anthropic/v1/messages",
                "https://x.services.ai.azure.com",
                None,
            ),
            (
                "https://api.openai.com/v1/chat/completions",
                "https://api.openai.com",
                None,
            ),
            (
                "https://api.groq.com/openai/v1/chat/completions/",
                "https://api.groq.com/openai",
                None,
            ),
            (
                "http://127.0.0.1:8000/v1/messages",
                "http://127.0.0.1:8000",
                None,
            ),
        ] {
            let expected = (expected.to_owned(), deployment.map(str::to_owned));
            assert_eq!(base(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn bases_and_other_texts_are_no_operations() {
        for url in [
            "https://x.openai.azure.com",
            "https://x.openai.azure.com/openai/v1/",
            "https://api.openai.com/v1",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "https://x.example/my-embeddings",
            "https://u:p@x.openai.azure.com/openai/deployments/d/chat/completions",
            "sk-12345",
            "/openai/deployments/d/chat/completions",
            "",
        ] {
            assert_eq!(base(url), None, "{url}");
        }
    }
}
