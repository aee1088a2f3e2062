use std::{borrow::Cow, sync::Arc};

use http::{Method, Request, header::HOST};
use percent_encoding::percent_decode_str;

use super::{PoolSite, resolved::resolved};
use crate::{config::Route, model_scope::models_in_query};

/// Which pool gets a request: the first that has a route for it, or no routes at all.
#[derive(Debug)]
pub(crate) struct Routes {
    of_pools: Vec<Vec<Route>>,
}

impl Routes {
    pub(super) fn new(pools: &[Arc<PoolSite>]) -> Self {
        let of_pools = pools.iter().map(|pool| pool.route_list().to_vec());
        Self {
            of_pools: of_pools.collect(),
        }
    }

    /// The index of the pool for a request with this `model` in its body.
    ///
    /// A path that a backend may take for another one must be of the same pool as that: else a key for a cheap pool would
    /// open a dear deployment.
    pub(crate) fn choose<B>(
        &self,
        request: &Request<B>,
        model: Option<&str>,
    ) -> Result<Option<usize>, Ambiguous> {
        let path = request.uri().path();
        let chosen = self.choose_at(path, request, model)?;
        // Where there is one pool for everything, it does not matter.
        let is_any = || self.of_pools.first().is_some_and(Vec::is_empty);
        match resolved(path) {
            Some(path) if !is_any() && self.choose_at(&path, request, model)? != chosen => {
                Err(Ambiguous)
            }
            _ => Ok(chosen),
        }
    }

    fn choose_at<B>(
        &self,
        path: &str,
        request: &Request<B>,
        model: Option<&str>,
    ) -> Result<Option<usize>, Ambiguous> {
        let deployment = deployment(path);
        if let Some(model) = deployment.as_deref().or(model) {
            return Ok(self.find(path, request, Some(model)));
        }
        // That of a WebSocket. What has a body has its model there, whatever the query says.
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

/// The request is for one pool or another, depending on who reads its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

fn takes<B>(route: &Route, path: &str, request: &Request<B>, model: Option<&str>) -> bool {
    let is_host = || match &route.host {
        Some(pattern) => pattern.matches(&host(request)),
        None => true,
    };
    let is_path = || match &route.path_prefix {
        Some(prefix) => is_below(path, prefix),
        None => true,
    };
    let is_model = || match &route.model {
        Some(pattern) => model.is_some_and(|model| pattern.matches(model)),
        None => true,
    };
    is_path() && is_host() && is_model()
}

/// Without its port, in lower case.
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

/// Whole segments count: `/v1` is not the beginning of `/v1beta`.
fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The segment after `deployments`, as in the paths of Azure OpenAI, whose case does not count.
fn deployment(path: &str) -> Option<Cow<'_, str>> {
    let mut segments = path.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case("deployments"))?;
    let deployment = segments.next().filter(|segment| !segment.is_empty())?;
    Some(percent_decode_str(deployment).decode_utf8_lossy())
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
    fn the_first_pool_with_a_route_takes_it() {
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
    }

    #[test]
    fn all_that_a_route_says_must_match() {
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
    fn an_address_is_a_host_with_or_without_a_port() {
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
