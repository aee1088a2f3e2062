use wildmatch::WildMatch;

/// Which requests go to a pool: those that match in everything that is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Route {
    /// Of the host in lower case, without its port; `*` stands for any characters, `?` for one.
    pub(crate) host: Option<WildMatch>,
    /// The beginning of the path, whole segments of it; without a slash at its end.
    pub(crate) path_prefix: Option<String>,
    /// The deployment in the path, or the model in a JSON body; `*` stands for any characters, `?` for one.
    pub(crate) model: Option<WildMatch>,
}
