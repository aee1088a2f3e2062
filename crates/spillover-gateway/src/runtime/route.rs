use wildmatch::WildMatch;

/// A condition on requests. A request matches when every field that is set matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Route {
    /// Pattern of the host, in lower case and without its port. `*` matches any characters, `?` one: `*.example.com`.
    pub(crate) host: Option<WildMatch>,
    /// First segments of the path, without a slash at the end. For example, `/team` matches `/team/v1` but not `/teams`.
    pub(crate) path_prefix: Option<String>,
    /// Pattern of the deployment in the path, or else of the model in the body: `gpt-4*`.
    pub(crate) model: Option<WildMatch>,
}
