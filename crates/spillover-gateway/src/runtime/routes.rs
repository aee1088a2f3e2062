use std::sync::Arc;

use http::{Method, Request, header::HOST};
use spillover_core::model_in_path;
use tower_spillover::model::models_in_query;

use super::{PoolRuntime, normalized_path::normalized};
use crate::runtime::Route;

/// Routes of all pools. The first pool with a matching route, or with no routes at all, gets the request.
#[derive(Debug)]
pub(crate) struct Routes {
    of_pools: Vec<Vec<Route>>,
}

impl Routes {
    pub(super) fn new(pools: &[Arc<PoolRuntime>]) -> Self {
        let of_pools = pools.iter().map(|pool| pool.route_list().to_vec());
        Self {
            of_pools: of_pools.collect(),
        }
    }

    /// Returns the index of the pool for a request with this `model` in its body.
    ///
    /// # Errors
    ///
    /// Returns [`Ambiguous`] when the path and its normalized form belong to different pools. Otherwise a client key for a
    /// cheap pool could reach an expensive deployment, e.g. by `/openai/deployments/cheap/../expensive`.
    pub(crate) fn choose<B>(
        &self,
        request: &Request<B>,
        model: Option<&str>,
    ) -> Result<Option<usize>, Ambiguous> {
        if self.is_for_first_pool() {
            return Ok(Some(0));
        }
        let path = request.uri().path();
        let chosen = self.choose_at(path, request, model)?;
        match normalized(path) {
            Some(path) if self.choose_at(&path, request, model)? != chosen => Err(Ambiguous),
            _ => Ok(chosen),
        }
    }

    /// Returns true if every request is for the first pool, because it has no routes.
    fn is_for_first_pool(&self) -> bool {
        self.of_pools.first().is_some_and(Vec::is_empty)
    }

    /// Returns true if the model in the body could change which pool gets the request.
    pub(crate) fn depends_on_model<B>(&self, request: &Request<B>) -> bool {
        if self.is_for_first_pool() {
            return false;
        }
        let path = request.uri().path();
        let is_in_path = |path: &str| model_in_path(path).is_some();
        let depends = |path: &str| !is_in_path(path) && self.depends_on_model_at(path, request);
        depends(path) || normalized(path).is_some_and(|path| depends(&path))
    }

    fn depends_on_model_at<B>(&self, path: &str, request: &Request<B>) -> bool {
        for routes in &self.of_pools {
            let mut by_model = routes.iter().filter(|route| route.model.is_some());
            if by_model.any(|route| takes_apart_from_model(route, path, request)) {
                return true;
            }
            let mut any = routes.iter();
            if routes.is_empty() || any.any(|route| takes(route, path, request, None)) {
                return false;
            }
        }
        false
    }

    fn choose_at<B>(
        &self,
        path: &str,
        request: &Request<B>,
        model: Option<&str>,
    ) -> Result<Option<usize>, Ambiguous> {
        let in_path = model_in_path(path);
        if let Some(model) = in_path.as_deref().or(model) {
            return Ok(self.find(path, request, Some(model)));
        }
        // A WebSocket has its model in the query. Requests with a body have it there, and their query is ignored.
        let query = request.uri().query();
        let query = query.filter(|_| *request.method() == Method::GET);
        let mut models = query.into_iter().flat_map(models_in_query);
        let chosen = self.find(path, request, models.next().as_deref());
        if models.any(|model| self.find(path, request, Some(&model)) != chosen) {
            return Err(Ambiguous);
        }
        Ok(chosen)
    }

    fn find<B>(&self, path: &str, request: &Request<B>, model: Option<&str>) -> Option<usize> {
        self.of_pools.iter().position(|routes| {
            let mut any = routes.iter();
            routes.is_empty() || any.any(|route| takes(route, path, request, model))
        })
    }
}

/// Error for a request target that selects different pools, depending on how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

fn takes<B>(route: &Route, path: &str, request: &Request<B>, model: Option<&str>) -> bool {
    let is_model = || match &route.model {
        Some(pattern) => model.is_some_and(|model| pattern.matches(model)),
        None => true,
    };
    takes_apart_from_model(route, path, request) && is_model()
}

fn takes_apart_from_model<B>(route: &Route, path: &str, request: &Request<B>) -> bool {
    let is_host = || match &route.host {
        Some(pattern) => pattern.matches(&host(request)),
        None => true,
    };
    let is_path = || match &route.path_prefix {
        Some(prefix) => is_below(path, prefix),
        None => true,
    };
    is_path() && is_host()
}

/// Returns the host of the request without its port, in lower case.
fn host<B>(request: &Request<B>) -> String {
    if let Some(host) = request.uri().host() {
        return host.to_ascii_lowercase();
    }
    let field = request.headers().get(HOST);
    let authority = field.and_then(|host| host.to_str().ok());
    let authority = authority.unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

/// Returns true if `path` begins with the segments of `prefix`. For example, `/v1` is no prefix of `/v1beta`.
fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use wildmatch::WildMatch;

    use super::*;

    fn request(uri: &str, host: &str) -> Request<()> {
        Request::get(uri).header(HOST, host).body(()).unwrap()
    }

    fn pattern(pattern: &str) -> Option<WildMatch> {
        Some(WildMatch::new(pattern))
    }

    #[test]
    fn first_pool_with_a_matching_route_is_chosen() {
        let model = |name| Route {
            model: pattern(name),
            ..Route::default()
        };
        let path = Route {
            path_prefix: Some("/anthropic".into()),
            ..Route::default()
        };
        let routes = Routes {
            of_pools: vec![vec![model("gpt-4*"), path], vec![model("o?")], vec![]],
        };
        let choose = |uri, model| routes.choose(&request(uri, "h"), model).unwrap();
        assert_eq!(choose("/v1/chat", Some("gpt-4o-mini")), Some(0));
        assert_eq!(choose("/anthropic/v1/messages", None), Some(0));
        assert_eq!(choose("/anthropics", None), Some(2));
        assert_eq!(choose("/v1/chat", Some("o3")), Some(1));
        assert_eq!(choose("/v1/chat", Some("o3-pro")), Some(2));
        assert_eq!(choose("/openai/deployments/o3/x", Some("gpt-4o")), Some(1));
        assert_eq!(choose("/openai/deployments/", None), Some(2));
        assert_eq!(choose("/v1/realtime?model=gpt%2D4o", None), Some(0));
        let gemini = "/v1beta/models/o3:generateContent";
        assert_eq!(choose(gemini, None), Some(1));
        assert_eq!(choose("/model/gpt-4o%3A0/converse", None), Some(0));
    }

    #[test]
    fn request_depends_on_its_model_if_a_route_could_match_by_model() {
        let by_model = Route {
            path_prefix: Some("/v1".into()),
            model: pattern("gpt*"),
            ..Route::default()
        };
        let by_path = Route {
            path_prefix: Some("/v1/messages".into()),
            ..Route::default()
        };
        let first = Routes {
            of_pools: vec![vec![by_model.clone()], vec![]],
        };
        let second = Routes {
            of_pools: vec![vec![by_path], vec![by_model]],
        };
        for (uri, by_first, by_second) in [
            ("/v1/messages", true, false),
            ("/v1/chat/completions", true, true),
            ("/openai/deployments/gpt/x", false, false),
            ("/v1/../x/messages", true, true),
            ("/v2", false, false),
        ] {
            let request = request(uri, "h");
            assert_eq!(first.depends_on_model(&request), by_first, "{uri}");
            assert_eq!(second.depends_on_model(&request), by_second, "{uri}");
        }
    }

    #[test]
    fn every_condition_of_a_route_must_match() {
        let route = Route {
            host: pattern("*.a.example"),
            path_prefix: Some("/v1".into()),
            model: None,
        };
        let routes = Routes {
            of_pools: vec![vec![route]],
        };
        let choose = |uri, host| routes.choose(&request(uri, host), None).unwrap();
        assert_eq!(choose("/v1/x", "Team.A.example:8443"), Some(0));
        assert_eq!(choose("http://team.a.example/v1", "other"), Some(0));
        assert_eq!(choose("/v2", "team.a.example"), None);
        assert_eq!(choose("/v1", "a.example"), None);
        assert_eq!(choose("/v1", "[::1]"), None);
        assert_eq!(choose("http://u@team.a.example:80/v1", "other"), Some(0));
        assert_eq!(choose("http://team.a.example@b/v1", "team.a.example"), None);
    }

    #[test]
    fn host_is_read_with_and_without_a_port() {
        let route = Route {
            host: pattern("[::1]"),
            ..Route::default()
        };
        let routes = Routes {
            of_pools: vec![vec![route]],
        };
        let choose = |uri, host| routes.choose(&request(uri, host), None).unwrap();
        assert_eq!(choose("/", "[::1]"), Some(0));
        assert_eq!(choose("/", "[::1]:8080"), Some(0));
        assert_eq!(choose("http://[::1]:80/", "other"), Some(0));
        assert_eq!(choose("/", "[::2]"), None);
        assert_eq!(choose("/", ""), None);
    }
}
