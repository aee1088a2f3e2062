use std::ops::Range;

use http::{Uri, uri::PathAndQuery};
use spillover_core::Backend;

use super::query;

/// Path and query of a request as the backend wants them.
pub(super) fn rewrite(backend: &Backend, uri: &Uri) -> PathAndQuery {
    let root = PathAndQuery::from_static("/");
    let original = match uri.path_and_query() {
        Some(original) if original.path().starts_with('/') => original,
        _ => &root,
    };
    let segment = backend
        .deployment()
        .and_then(|new| Some((deployment_in(original.path())?, new)));
    let deployment = backend.deployment().filter(|_| segment.is_none());
    let has_credential = backend.credential().is_some();
    let query = original
        .query()
        .and_then(|query| query::rewrite(query, deployment, has_credential));
    if backend.base_path().is_empty() && segment.is_none() && query.is_none() {
        return original.clone();
    }

    let path = original.path();
    let (before, deployment, after) = match segment {
        Some((at, new)) => (&path[..at.start], new, &path[at.end..]),
        None => (path, "", ""),
    };
    let query = match &query {
        Some(query) => query.as_str(),
        None => &original.as_str()[path.len()..],
    };
    let joined = [backend.base_path(), before, deployment, after, query].concat();
    // The parts were parsed as parts of a path, and a path of such parts is one.
    PathAndQuery::try_from(joined).unwrap_or_else(|_| original.clone())
}

/// Where the segment after the first `deployments` stands, in any case: not all backends mind it.
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
    use super::*;

    fn rewritten(base: &str, deployment: Option<&str>, target: &str) -> String {
        let builder = Backend::builder("b").url(format!("https://b.example{base}"));
        let backend = match deployment {
            Some(deployment) => builder.deployment(deployment),
            None => builder,
        };
        let uri = target.parse().unwrap();
        rewrite(&backend.build().unwrap(), &uri).to_string()
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
    fn the_base_path_is_put_in_front() {
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
    fn a_target_without_a_path_becomes_the_base_path() {
        assert_eq!(rewritten("", None, "*"), "/");
        assert_eq!(rewritten("/base", None, "*"), "/base/");
        assert_eq!(rewritten("/base", None, "evil.example:443"), "/base/");
        assert_eq!(
            rewritten("/base", None, "http://evil.example/x?y"),
            "/base/x?y"
        );
    }
}
