use std::{borrow::Cow, sync::Arc};

use http::{Request, header::HOST};

use super::PoolSite;
use crate::{config::Route, model_scope::model_in_query};

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
    pub(crate) fn choose<B>(&self, request: &Request<B>, model: Option<&str>) -> Option<usize> {
        self.of_pools.iter().position(|routes| {
            routes.is_empty() || routes.iter().any(|route| takes(route, request, model))
        })
    }
}

fn takes<B>(route: &Route, request: &Request<B>, model: Option<&str>) -> bool {
    let path = request.uri().path();
    let is_host = || match &route.host {
        Some(pattern) => pattern.matches(&host(request)),
        None => true,
    };
    let is_path = || match &route.path_prefix {
        Some(prefix) => is_below(path, prefix),
        None => true,
    };
    let is_model = || match &route.model {
        Some(pattern) => {
            let in_query = || request.uri().query().and_then(model_in_query);
            let name = deployment(path).or(model).map(Cow::Borrowed);
            name.or_else(in_query)
                .is_some_and(|name| pattern.matches(&name))
        }
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

/// The segment after `deployments`, as in the paths of Azure OpenAI.
fn deployment(path: &str) -> Option<&str> {
    let mut segments = path.split('/');
    segments.find(|&segment| segment == "deployments")?;
    segments.next().filter(|deployment| !deployment.is_empty())
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
        let choose = |uri, model| routes.choose(&request(uri, "h"), model);
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
        let choose = |uri, host| routes.choose(&request(uri, host), None);
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
        let choose = |uri, host| routes.choose(&request(uri, host), None);
        assert_eq!(choose("/", "[::1]"), Some(0));
        assert_eq!(choose("/", "[::1]:8080"), Some(0));
        assert_eq!(choose("http://[::1]:80/", "other"), Some(0));
        assert_eq!(choose("/", "[::2]"), None);
        assert_eq!(choose("/", ""), None);
    }
}
