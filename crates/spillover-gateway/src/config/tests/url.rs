use spillover_core::Backend;

use crate::config::url::{Family, Operation};

#[test]
fn family_of_a_backend_by_its_url() {
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
        assert_eq!(Family::of_backend(&backend), expected, "{url}");
    }
}

fn base(url: &str) -> Option<(String, Option<String>)> {
    Operation::of_url(url).map(|operation| (operation.base, operation.deployment))
}

#[test]
fn operation_has_a_base_and_a_deployment() {
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
fn base_or_other_text_is_not_an_operation() {
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
