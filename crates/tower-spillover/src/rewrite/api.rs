use spillover_core::BackendKind;

/// The path of a request at a backend, by the table of the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapping<'a> {
    /// The path as the client sent it.
    Same,
    /// Another one.
    To(Mapped<'a>),
    /// The backend has no such path, whatever it is mapped to.
    Unsupported,
}

/// A path as a backend of some kind has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapped<'a> {
    /// Stands before `rest`: `/openai/v1`, `/anthropic/v1` or `/v1`.
    pub(super) root: &'static str,
    /// The part of the original path that stays, with its slash.
    pub(super) rest: &'a str,
    /// A path of Azure became one of OpenAI, which has no `api-version` and calls a deployment `model`.
    pub(super) is_from_azure: bool,
    /// The deployment that the path no longer names.
    pub(super) deployment: Option<&'a str>,
}

/// Returns the path at a backend of this kind, whose URL has this base path.
pub(super) fn map<'a>(kind: BackendKind, base: &str, path: &'a str) -> Mapping<'a> {
    match kind {
        BackendKind::Azure => match below(path, V1) {
            Some(rest) if !has_steps(path) => Mapping::To(Mapped {
                root: azure_root(base, rest),
                rest,
                is_from_azure: false,
                deployment: None,
            }),
            _ => Mapping::Same,
        },
        BackendKind::OpenAi => match below(path, OPENAI) {
            Some(rest) if !has_steps(path) => at_openai(rest),
            Some(_) => Mapping::Unsupported,
            None => Mapping::Same,
        },
        _ => Mapping::Same,
    }
}

/// Returns the root of the API that has `rest` at Azure. Claude's is below `/anthropic`
/// (<https://learn.microsoft.com/azure/foundry/foundry-models/how-to/use-foundry-models-claude>): the API that a URL names
/// by its end, and the one of a path that OpenAI does not have.
fn azure_root(base: &str, rest: &str) -> &'static str {
    let is_named = || {
        [ANTHROPIC_V1, ANTHROPIC]
            .iter()
            .any(|root| before(base, root).is_some())
    };
    if below(rest, MESSAGES).is_some() || is_named() {
        ANTHROPIC_V1
    } else {
        AZURE_V1
    }
}

/// Returns the path at OpenAI for the rest of an Azure path after `/openai`.
fn at_openai(rest: &str) -> Mapping<'_> {
    let (deployment, rest) = if let Some(rest) = below(rest, V1) {
        (None, rest)
    } else if let Some(rest) = below(rest, DEPLOYMENTS) {
        match deployment_and_operation(rest) {
            Some((deployment, operation)) => (Some(deployment), operation),
            None => return Mapping::Unsupported,
        }
    } else if rest.len() > 1 {
        (None, rest)
    } else {
        return Mapping::Unsupported;
    };
    Mapping::To(Mapped {
        root: V1,
        rest,
        is_from_azure: true,
        deployment,
    })
}

/// Takes `/NAME/chat/completions` apart, where the v1 API has the operation too.
fn deployment_and_operation(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let (deployment, operation) = path.split_at(path.find('/')?);
    let is_known = OPERATIONS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(operation));
    (!deployment.is_empty() && is_known).then_some((deployment, operation))
}

/// Returns the base path of a backend. The root of the API at its end is left out when the path of the request has a root
/// itself.
pub(super) fn base<'a>(kind: BackendKind, base: &'a str, path: &str) -> &'a str {
    let is_openai = || below(path, OPENAI).is_some();
    let is_anthropic = || below(path, ANTHROPIC).is_some();
    let is_v1 = || below(path, V1).is_some();
    let roots: &[&str] = match kind {
        _ if base.is_empty() => &[],
        BackendKind::Azure if is_openai() || is_anthropic() || is_v1() => {
            &[AZURE_V1, ANTHROPIC_V1, OPENAI, ANTHROPIC, V1]
        }
        BackendKind::OpenAi if is_openai() || is_v1() => &[V1],
        BackendKind::Other if is_v1() => &[V1],
        BackendKind::Other if below(path, AZURE_V1).is_some() => &[AZURE_V1],
        _ => &[],
    };
    let mut cut = roots.iter().filter_map(|root| before(base, root));
    cut.next().unwrap_or(base)
}

/// Returns the part of the path after `root`, whose case does not matter. `None` when the path is not below it.
fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let (start, rest) = path.split_at_checked(root.len())?;
    let is_whole = rest.is_empty() || rest.starts_with('/');
    (is_whole && start.eq_ignore_ascii_case(root)).then_some(rest)
}

/// Returns the part of the base path before `root`. `None` when the base path does not end with it.
fn before<'a>(base: &'a str, root: &str) -> Option<&'a str> {
    let at = base.len().checked_sub(root.len())?;
    let (start, end) = base.split_at_checked(at)?;
    end.eq_ignore_ascii_case(root).then_some(start)
}

/// Returns true when a segment is `.` or `..`, plain or escaped: a backend may then read another path than is spelled
/// (RFC 3986 section 5.2.4), and a root in it is none.
fn has_steps(path: &str) -> bool {
    path.split('/').any(|mut segment| {
        let mut dots = 0;
        while let Some(rest) = after_dot(segment) {
            segment = rest;
            dots += 1;
        }
        segment.is_empty() && (dots == 1 || dots == 2)
    })
}

fn after_dot(segment: &str) -> Option<&str> {
    if let Some(rest) = segment.strip_prefix('.') {
        return Some(rest);
    }
    let (start, rest) = segment.split_at_checked(ESCAPED_DOT.len())?;
    start.eq_ignore_ascii_case(ESCAPED_DOT).then_some(rest)
}

const V1: &str = "/v1";
const OPENAI: &str = "/openai";
const AZURE_V1: &str = "/openai/v1";
const ANTHROPIC: &str = "/anthropic";
const ANTHROPIC_V1: &str = "/anthropic/v1";
const MESSAGES: &str = "/messages";
const DEPLOYMENTS: &str = "/deployments";
const ESCAPED_DOT: &str = "%2e";

/// Operations on a deployment that OpenAI's API has as well
/// (<https://learn.microsoft.com/azure/ai-services/openai/reference>, <https://platform.openai.com/docs/api-reference>).
const OPERATIONS: [&str; 9] = [
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/edits",
    "/images/generations",
    "/images/variations",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_below_a_root_is_whole_segments_in_any_case() {
        assert_eq!(below("/v1/chat", V1), Some("/chat"));
        assert_eq!(below("/V1", V1), Some(""));
        assert_eq!(below("/v1beta/chat", V1), None);
        assert_eq!(below("/v", V1), None);
        assert_eq!(below("/é", V1), None);
        assert_eq!(below("/OpenAI/v1/x", AZURE_V1), Some("/x"));
    }

    #[test]
    fn steps_are_seen_in_every_spelling() {
        for path in ["/v1/..", "/v1/./x", "/v1/%2e%2E/x", "/v1/.%2e", "/%2E"] {
            assert!(has_steps(path), "{path}");
        }
        for path in [
            "/v1/x", "/v1/...", "/v1/.x", "/v1/x.", "/v1//x", "/", "/%2f..",
        ] {
            assert!(!has_steps(path), "{path}");
        }
    }
}
