use spillover_core::Backend;

/// Returns the audience of tokens for a backend, by the host and the path of its URL.
///
/// | backend | audience |
/// |---|---|
/// | a [Foundry project](https://learn.microsoft.com/azure/ai-foundry/how-to/develop/sdk-overview): `*.services.ai.azure.com/api/projects/...` | `https://ai.azure.com` |
/// | [Azure Government](https://learn.microsoft.com/azure/azure-government/documentation-government-cognitiveservices): `*.us` | `https://cognitiveservices.azure.us` |
/// | [Azure in China](https://learn.microsoft.com/azure/china/resources-developer-guide): `*.cn` | `https://cognitiveservices.azure.cn` |
/// | any other | `https://cognitiveservices.azure.com` |
pub(crate) fn audience_of(backend: &Backend) -> &'static str {
    let host = backend.authority().host().to_ascii_lowercase();
    let is_project = backend.url().contains("/api/projects/");
    match host.rsplit('.').next() {
        Some("us") => "https://cognitiveservices.azure.us",
        Some("cn") => "https://cognitiveservices.azure.cn",
        _ if is_project && host.ends_with(".services.ai.azure.com") => "https://ai.azure.com",
        _ => "https://cognitiveservices.azure.com",
    }
}

/// Returns the scope that a token is requested for: all permissions of an audience
/// (<https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-default-scope>).
pub(crate) fn scope_of(audience: &str) -> String {
    format!("{}/.default", audience.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audience_depends_on_the_cloud_and_the_kind_of_resource() {
        for (url, expected) in [
            (
                "https://a.openai.azure.com",
                "https://cognitiveservices.azure.com",
            ),
            (
                "https://a.cognitiveservices.azure.com/openai",
                "https://cognitiveservices.azure.com",
            ),
            (
                "https://a.services.ai.azure.com/openai/v1",
                "https://cognitiveservices.azure.com",
            ),
            (
                "https://a.services.ai.azure.com/api/projects/p1",
                "https://ai.azure.com",
            ),
            (
                "https://a.OpenAI.azure.us",
                "https://cognitiveservices.azure.us",
            ),
            (
                "https://a.openai.azure.cn",
                "https://cognitiveservices.azure.cn",
            ),
            (
                "http://127.0.0.1:8080/api/projects/p1",
                "https://cognitiveservices.azure.com",
            ),
        ] {
            let backend = Backend::builder("a").url(url).build().unwrap();
            assert_eq!(audience_of(&backend), expected, "{url}");
        }
    }

    #[test]
    fn scope_has_one_slash() {
        assert_eq!(
            scope_of("https://ai.azure.com/"),
            "https://ai.azure.com/.default"
        );
        assert_eq!(scope_of("api://gateway"), "api://gateway/.default");
    }
}
