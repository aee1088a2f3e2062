use std::fmt;

/// The form of OpenAI's API that a backend has. The form decides the paths.
///
/// | kind | the v1 API is under | a deployment can be in the path | default for the hosts |
/// |---|---|---|---|
/// | [`Azure`](Self::Azure) | `/openai/v1` | yes: `/openai/deployments/NAME` | `*.openai.azure.com`, `*.services.ai.azure.com`, `*.cognitiveservices.azure.com`; the same with `.us` or `.cn` at the end |
/// | [`OpenAi`](Self::OpenAi) | `/v1` | no | `api.openai.com`, `*.api.openai.com` |
/// | [`Other`](Self::Other) | wherever clients ask for it | as clients ask for it | all others |
///
/// Sources: [Azure OpenAI's v1 API](https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle),
/// [Azure OpenAI's dated API](https://learn.microsoft.com/azure/ai-services/openai/reference),
/// [OpenAI's API](https://platform.openai.com/docs/api-reference).
///
/// ```
/// use spillover_core::{Backend, BackendKind};
///
/// let azure = Backend::builder("sweden").url("https://sweden.openai.azure.com").build()?;
/// assert_eq!(azure.kind(), BackendKind::Azure);
///
/// // In front of Azure OpenAI, under a name of its own.
/// let proxy = Backend::builder("apim").url("https://ai.example").kind(BackendKind::Azure).build()?;
/// assert_eq!(proxy.kind(), BackendKind::Azure);
/// # Ok::<_, spillover_core::InvalidBackend>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendKind {
    /// Azure OpenAI, or Azure AI Foundry.
    Azure,
    /// OpenAI, or a service that has its paths.
    OpenAi,
    /// Any other service: no path is mapped.
    Other,
}

impl BackendKind {
    /// Returns the kind of a backend at this host, by the table [above](Self). The case of the host does not matter.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host);
        if is_below(host, OPENAI) || host.eq_ignore_ascii_case(OPENAI) {
            return Self::OpenAi;
        }
        let has_azure_suffix = |suffix: &&str| is_below(host, suffix);
        if AZURE.iter().any(has_azure_suffix) {
            return Self::Azure;
        }
        Self::Other
    }

    /// Returns the kind as a setting: `azure`, `openai` or `other`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::OpenAi => "openai",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns true when the host is a subdomain of `domain`.
fn is_below(host: &str, domain: &str) -> bool {
    let Some(at) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    // A split inside a character means that the end of the host is not ASCII, so it is no domain of the list.
    let (Some(before), Some(end)) = (host.get(..at), host.get(at..)) else {
        return false;
    };
    end.eq_ignore_ascii_case(domain) && before.len() > 1 && before.ends_with('.')
}

const OPENAI: &str = "api.openai.com";

/// Azure's public cloud, its clouds for the government of the USA, and that in China
/// (<https://learn.microsoft.com/azure/ai-services/openai/azure-government>).
const AZURE: [&str; 9] = [
    "openai.azure.com",
    "services.ai.azure.com",
    "cognitiveservices.azure.com",
    "openai.azure.us",
    "services.ai.azure.us",
    "cognitiveservices.azure.us",
    "openai.azure.cn",
    "services.ai.azure.cn",
    "cognitiveservices.azure.cn",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_decides_the_kind() {
        for (host, expected) in [
            ("my-ptu.openai.azure.com", BackendKind::Azure),
            ("My-PTU.OpenAI.Azure.com.", BackendKind::Azure),
            ("x.privatelink.openai.azure.com", BackendKind::Azure),
            ("x.services.ai.azure.com", BackendKind::Azure),
            ("x.cognitiveservices.azure.com", BackendKind::Azure),
            ("x.openai.azure.us", BackendKind::Azure),
            ("x.cognitiveservices.azure.cn", BackendKind::Azure),
            ("api.openai.com", BackendKind::OpenAi),
            ("eu.api.openai.com", BackendKind::OpenAi),
            ("openai.azure.com", BackendKind::Other),
            (".openai.azure.com", BackendKind::Other),
            ("xopenai.azure.com", BackendKind::Other),
            ("x.openai.azure.com.example", BackendKind::Other),
            ("myapi.openai.com", BackendKind::Other),
            ("x.azure.com", BackendKind::Other),
            ("127.0.0.1", BackendKind::Other),
            ("", BackendKind::Other),
        ] {
            assert_eq!(BackendKind::of_host(host), expected, "{host}");
        }
    }
}
