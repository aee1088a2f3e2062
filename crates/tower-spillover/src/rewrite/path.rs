use std::ops::Range;

use http::{Uri, uri::PathAndQuery};
use spillover_core::Backend;

use super::{
    ModelFromPath,
    api::{self, Mapped, Mapping},
    query,
};

/// The target of a request as the backend has it.
pub(super) struct Rewritten {
    pub(super) path_and_query: PathAndQuery,
    /// The model that the path does not name any more.
    pub(super) model: Option<ModelFromPath>,
    pub(super) is_unsupported: bool,
}

/// Rewrites path and query for the backend.
pub(super) fn rewrite(backend: &Backend, uri: &Uri) -> Rewritten {
    let root = PathAndQuery::from_static("/");
    let original = match uri.path_and_query() {
        Some(original) if original.path().starts_with('/') => original,
        _ => &root,
    };
    let mapping = api::map(backend.kind(), backend.base_path(), original.path());
    let mapped = match mapping {
        Mapping::To(mapped) => Some(mapped),
        Mapping::Same | Mapping::Unsupported => None,
    };
    let named = mapped.and_then(|mapped| mapped.deployment);
    Rewritten {
        path_and_query: path_and_query(backend, original, mapped),
        model: named.map(|named| ModelFromPath::new(backend.model(), named)),
        is_unsupported: mapping == Mapping::Unsupported,
    }
}

fn path_and_query(
    backend: &Backend,
    original: &PathAndQuery,
    mapped: Option<Mapped<'_>>,
) -> PathAndQuery {
    // Most requests: a look is enough, and nothing is put together.
    let is_bare = backend.base_path().is_empty() && backend.model().is_none();
    if is_bare && mapped.is_none() && original.query().is_none() {
        return original.clone();
    }
    let path = original.path();
    let (root, rest) = mapped.map_or(("", path), |mapped| (mapped.root, mapped.rest));
    let segment = backend
        .deployment()
        .and_then(|new| Some((deployment_in(rest)?, new)));
    let names_no_deployment = || deployment_in(rest).is_none();
    let edit = query::Edit {
        deployment: backend.deployment().filter(|_| segment.is_none()),
        model: (backend.model()).filter(|_| original.query().is_some() && names_no_deployment()),
        removes_credentials: backend.credential().is_some(),
        is_from_azure: mapped.is_some_and(|mapped| mapped.is_from_azure),
    };
    let query = original.query().and_then(|query| edit.apply(query));
    let is_path_same = mapped.is_none() && segment.is_none() && backend.base_path().is_empty();
    if is_path_same && query.is_none() {
        return original.clone();
    }

    let base = api::base(backend.kind(), backend.base_path(), path);
    let (before, deployment, after) = match segment {
        Some((at, new)) => (&rest[..at.start], new, &rest[at.end..]),
        None => (rest, "", ""),
    };
    let query = match &query {
        Some(query) => query.as_str(),
        None => &original.as_str()[path.len()..],
    };
    let joined = [base, root, before, deployment, after, query].concat();
    // The parts were parsed as parts of a path, and a path of such parts is one.
    PathAndQuery::try_from(joined).unwrap_or_else(|_| original.clone())
}

/// Returns the place of the segment after the first `deployments`. The case does not matter, as at some backends.
fn deployment_in(path: &str) -> Option<Range<usize>> {
    let mut start = 0;
    let mut is_next = false;
    for segment in path.split('/') {
        let end = start + segment.len();
        if is_next {
            return (!segment.is_empty()).then_some(start..end);
        }
        is_next = segment.eq_ignore_ascii_case("deployments");
        start = end + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use spillover_core::BackendKind;

    use super::*;

    fn rewritten(base: &str, deployment: Option<&str>, target: &str) -> String {
        let builder = Backend::builder("b").url(format!("https://b.example{base}"));
        let backend = match deployment {
            Some(deployment) => builder.deployment(deployment),
            None => builder,
        };
        let uri = target.parse().unwrap();
        let rewritten = rewrite(&backend.build().unwrap(), &uri);
        rewritten.path_and_query.to_string()
    }

    #[test]
    fn path_and_query_are_untouched_without_base_path_and_deployment() {
        for target in [
            "/",
            "/v1/chat/completions",
            "/a//b/./../c",
            "/%2e%2E/%ff?x=%20&&y",
            "//evil.example/x",
            "/?",
            "/openai/deployments/d/chat?api-version=2024-10-21",
        ] {
            assert_eq!(rewritten("", None, target), target);
        }
    }

    #[test]
    fn base_path_is_put_in_front() {
        assert_eq!(rewritten("/base", None, "/v1?x=1"), "/base/v1?x=1");
        assert_eq!(rewritten("/base/", None, "/"), "/base/");
        assert_eq!(rewritten("/a/b", None, "//x"), "/a/b//x");
    }

    #[test]
    fn only_the_segment_after_deployments_is_replaced() {
        let cases = [
            (
                "/openai/deployments/old/chat",
                "/openai/deployments/new/chat",
            ),
            ("/openai/deployments/old", "/openai/deployments/new"),
            ("/openai/Deployments/old", "/openai/Deployments/new"),
            (
                "/openai/deployments/old?d=old",
                "/openai/deployments/new?d=old",
            ),
            ("/old/deployments/old/old", "/old/deployments/new/old"),
            ("/deployments/deployments/x", "/deployments/new/x"),
            (
                "/deployments/a/deployments/b",
                "/deployments/new/deployments/b",
            ),
            ("/openai/deployments", "/openai/deployments"),
            ("/openai/deployments/", "/openai/deployments/"),
            ("/openai/deployments//x", "/openai/deployments//x"),
            ("/openai/mydeployments/x", "/openai/mydeployments/x"),
            (
                "/openai/models/x?a=/deployments/y",
                "/openai/models/x?a=/deployments/y",
            ),
        ];
        for (target, expected) in cases {
            assert_eq!(rewritten("", Some("new"), target), expected);
            let based = rewritten("/deployments/base", Some("new"), target);
            assert_eq!(based, format!("/deployments/base{expected}"));
        }
    }

    #[test]
    fn target_without_a_path_becomes_the_base_path() {
        assert_eq!(rewritten("", None, "*"), "/");
        assert_eq!(rewritten("/base", None, "*"), "/base/");
        assert_eq!(rewritten("/base", None, "evil.example:443"), "/base/");
        assert_eq!(
            rewritten("/base", None, "http://evil.example/x?y"),
            "/base/x?y"
        );
    }

    /// Returns the target at a backend of this kind and with this base path.
    fn mapped(kind: BackendKind, base: &str, target: &str) -> String {
        let backend = Backend::builder("b").url(format!("https://b.example{base}"));
        let backend = backend.kind(kind).build().unwrap();
        let uri = target.parse().unwrap();
        rewrite(&backend, &uri).path_and_query.to_string()
    }

    #[test]
    fn messages_reach_azure_below_anthropic() {
        for base in [
            "",
            "/anthropic",
            "/anthropic/",
            "/anthropic/v1",
            "/openai/v1",
            "/openai",
            "/v1",
        ] {
            for (target, expected) in [
                ("/v1/messages", "/anthropic/v1/messages"),
                ("/v1/messages?beta=true", "/anthropic/v1/messages?beta=true"),
                (
                    "/v1/messages/count_tokens",
                    "/anthropic/v1/messages/count_tokens",
                ),
                ("/anthropic/v1/messages", "/anthropic/v1/messages"),
            ] {
                assert_eq!(mapped(BackendKind::Azure, base, target), expected, "{base}");
            }
        }
        for (base, target, expected) in [
            ("/anthropic", "/v1/models", "/anthropic/v1/models"),
            ("/anthropic/v1", "/v1/models", "/anthropic/v1/models"),
            (
                "/team/anthropic",
                "/v1/messages",
                "/team/anthropic/v1/messages",
            ),
            ("/team", "/v1/messages", "/team/anthropic/v1/messages"),
            (
                "",
                "/v1/threads/t/messages",
                "/openai/v1/threads/t/messages",
            ),
            ("", "/v1/messagesx", "/openai/v1/messagesx"),
        ] {
            assert_eq!(mapped(BackendKind::Azure, base, target), expected, "{base}");
        }
        let other = mapped(BackendKind::Other, "", "/v1/messages");
        assert_eq!(other, "/v1/messages");
    }

    #[test]
    fn v1_path_reaches_azure_below_openai() {
        for (target, expected) in [
            ("/v1/chat/completions", "/openai/v1/chat/completions"),
            ("/v1/models?after=x", "/openai/v1/models?after=x"),
            ("/v1", "/openai/v1"),
            ("/V1/models", "/openai/v1/models"),
            ("/v1/realtime?model=m", "/openai/v1/realtime?model=m"),
            ("/v1//chat", "/openai/v1//chat"),
        ] {
            assert_eq!(mapped(BackendKind::Azure, "", target), expected);
        }
        for target in [
            "/openai/v1/chat/completions",
            "/openai/deployments/d/chat/completions?api-version=1",
            "/openai/models?api-version=1",
            "/anthropic/v1/messages",
            "/v1beta/models",
            "/v1/../admin",
            "/v1/%2e%2E/admin",
            "/chat/completions",
            "/",
        ] {
            assert_eq!(mapped(BackendKind::Azure, "", target), target);
        }
    }

    #[test]
    fn azure_path_reaches_openai_as_one_of_its_own() {
        for (target, expected) in [
            ("/openai/v1/responses/r?x=1", "/v1/responses/r?x=1"),
            ("/openai/v1?api-version=preview", "/v1"),
            (
                "/openai/deployments/d/chat/completions?api-version=1",
                "/v1/chat/completions",
            ),
            (
                "/OpenAI/Deployments/d/embeddings?a=b&api-version=1",
                "/v1/embeddings?a=b",
            ),
            ("/openai/deployments/d/audio/speech", "/v1/audio/speech"),
            ("/openai/responses?api-version=1", "/v1/responses"),
            ("/openai/files/f?api-version=1&x", "/v1/files/f?x"),
            (
                "/openai/realtime?api-version=1&deployment=d",
                "/v1/realtime?model=d",
            ),
        ] {
            assert_eq!(mapped(BackendKind::OpenAi, "", target), expected);
        }
        for target in [
            "/v1/chat/completions?api-version=1",
            "/openai",
            "/openai/",
            "/openai/deployments",
            "/openai/deployments/d",
            "/openai/deployments//chat/completions",
            "/openai/deployments/d/extensions/chat/completions",
            "/openai/deployments/d/../chat/completions",
            "/openai/v1/../models",
            "/openaiv1/models",
            "/chat/completions",
        ] {
            assert_eq!(mapped(BackendKind::OpenAi, "", target), target);
        }
    }

    #[test]
    fn no_path_of_another_service_is_mapped() {
        for target in [
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
            "/openai/deployments/d/chat/completions?api-version=1",
        ] {
            assert_eq!(mapped(BackendKind::Other, "", target), target);
            let based = mapped(BackendKind::Other, "/base", target);
            assert_eq!(based, format!("/base{target}"));
        }
    }

    #[test]
    fn root_of_an_api_in_the_url_is_there_once() {
        let v1 = "/v1/chat/completions";
        let azure_v1 = "/openai/v1/chat/completions";
        let dated = "/openai/deployments/d/embeddings?api-version=1";
        for (kind, base, target, expected) in [
            (BackendKind::Azure, "/openai/v1/", v1, azure_v1),
            (BackendKind::Azure, "/openai/v1", azure_v1, azure_v1),
            (BackendKind::Azure, "/openai/v1", dated, dated),
            (BackendKind::Azure, "/openai", v1, azure_v1),
            (BackendKind::Azure, "/openai", dated, dated),
            (BackendKind::Azure, "/v1", v1, azure_v1),
            (
                BackendKind::Azure,
                "/apim/openai",
                v1,
                "/apim/openai/v1/chat/completions",
            ),
            (
                BackendKind::Azure,
                "/apim",
                v1,
                "/apim/openai/v1/chat/completions",
            ),
            (
                BackendKind::Azure,
                "/openai/v1",
                "/responses",
                "/openai/v1/responses",
            ),
            (BackendKind::OpenAi, "/v1", v1, v1),
            (BackendKind::OpenAi, "/v1", azure_v1, v1),
            (BackendKind::OpenAi, "/v1", dated, "/v1/embeddings"),
            (BackendKind::OpenAi, "/v1", "/responses", "/v1/responses"),
            (BackendKind::OpenAi, "/openai/v1", v1, azure_v1),
            (
                BackendKind::OpenAi,
                "/api/v1",
                v1,
                "/api/v1/chat/completions",
            ),
            (BackendKind::Other, "/v1", v1, v1),
            (
                BackendKind::Other,
                "/api/v1/",
                v1,
                "/api/v1/chat/completions",
            ),
            (BackendKind::Other, "/openai/v1", v1, azure_v1),
            (BackendKind::Other, "/openai/v1", azure_v1, azure_v1),
            (BackendKind::Other, "/v1", "/models", "/v1/models"),
            (BackendKind::Other, "/v1", "/v1beta/x", "/v1/v1beta/x"),
            (BackendKind::Other, "/av1", v1, "/av1/v1/chat/completions"),
            (
                BackendKind::Other,
                "/openai",
                dated,
                "/openai/openai/deployments/d/embeddings?api-version=1",
            ),
        ] {
            assert_eq!(mapped(kind, base, target), expected, "{kind} {base}");
        }
    }
}
