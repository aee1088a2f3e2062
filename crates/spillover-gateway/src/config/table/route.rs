use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::Check;
use crate::{config::file::Path, site::Route};

/// Which requests a pool takes: those that match in everything that is set. In patterns `*` stands for any characters and
/// `?` for one.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(crate) struct RouteTable {
    /// A pattern for the host that the client asks for, without its port.
    #[schemars(example = "*.example.com")]
    pub(crate) host: Option<String>,
    /// The beginning of the path, in whole segments.
    #[schemars(example = "/openai")]
    pub(crate) path_prefix: Option<String>,
    /// A pattern for the deployment in the path, or else the `model` in a JSON body or a form.
    #[schemars(example = "gpt-4o*")]
    pub(crate) model: Option<String>,
}

impl Check<'_> {
    pub(super) fn routes(&mut self, path: &Path, tables: &[RouteTable]) -> Vec<Route> {
        let mut routes = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            routes.push(self.route(&path.index(index), table));
        }
        routes
    }

    fn route(&mut self, path: &Path, table: &RouteTable) -> Route {
        let RouteTable {
            host,
            path_prefix,
            model,
        } = table;
        let is_known = ["host", "path_prefix", "model"]
            .iter()
            .any(|key| self.origin.is_wrong(&path.key(key)));
        if host.is_none() && path_prefix.is_none() && model.is_none() && !is_known {
            self.problem(
                path,
                "nothing set; expected host, path_prefix or model; a pool without routes takes every request",
            );
        }
        let host = host
            .as_deref()
            .and_then(|text| self.keep(&path.key("host"), host_pattern(text)));
        let path_prefix = path_prefix
            .as_deref()
            .and_then(|text| self.keep(&path.key("path_prefix"), prefix(text)));
        let model = model
            .as_deref()
            .and_then(|text| self.keep(&path.key("model"), model_pattern(text)));
        Route {
            host,
            path_prefix,
            model,
        }
    }
}

fn host_pattern(text: &str) -> Result<WildMatch, &'static str> {
    let is_host = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.*?:[]".contains(&b));
    // A colon is a part of an IPv6 address only.
    if !is_host || (text.contains(':') && !text.starts_with('[')) || text.contains("]:") {
        return Err("a host or a pattern for it, such as *.example.com, without scheme and port");
    }
    Ok(WildMatch::new(&text.to_ascii_lowercase()))
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let prefix = text.trim_end_matches('/');
    let is_prefix = prefix.starts_with('/')
        && !prefix.contains("//")
        && prefix
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#*\\".contains(&b));
    if !is_prefix {
        return Err("the beginning of a path, such as /openai, without a pattern or a query");
    }
    Ok(prefix.to_owned())
}

fn model_pattern(text: &str) -> Result<WildMatch, &'static str> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err("a model or deployment, or a pattern for it, such as gpt-4o*");
    }
    Ok(WildMatch::new(text))
}
