use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::Check;
use crate::{config::file::Path, runtime::Route};

/// A condition on requests. A request matches when every key that is set matches. In patterns, `*` stands for any characters
/// and `?` for one.
#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(crate) struct RouteTable {
    /// Pattern of the host that the client asks for, without its port. Default: any host.
    #[schemars(example = "*.example.com")]
    pub(crate) host: Option<String>,
    /// First segments of the path: `/openai` matches `/openai/x` but not `/openais`. Default: any path.
    #[schemars(example = "/openai")]
    pub(crate) path_prefix: Option<String>,
    /// Pattern of the deployment in the path, or else of the `model` in a JSON body or a form. Default: any model.
    #[schemars(example = "gpt-4o*")]
    pub(crate) model: Option<String>,
}

impl Check<'_> {
    pub(super) fn routes(&mut self, path: &Path, tables: &[RouteTable]) -> Vec<Route> {
        let routes = tables.iter().enumerate();
        routes
            .map(|(index, table)| self.route(&path.index(index), table))
            .collect()
    }

    fn route(&mut self, path: &Path, table: &RouteTable) -> Route {
        let mut texts = [&table.host, &table.path_prefix, &table.model].into_iter();
        let is_empty = texts.all(Option::is_none);
        let mut keys = ["host", "path_prefix", "model"].iter();
        if is_empty && !keys.any(|key| self.origin.is_wrong(&path.key(key))) {
            self.problem(
                path,
                "nothing set; expected host, path_prefix or model; a pool without routes takes every request",
            );
        }
        Route {
            host: self.optional(path, "host", &table.host, host_pattern),
            path_prefix: self.optional(path, "path_prefix", &table.path_prefix, prefix),
            model: self.optional(path, "model", &table.model, model_pattern),
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
