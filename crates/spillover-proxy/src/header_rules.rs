use http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields to set and to remove.
///
/// ```
/// use http::HeaderMap;
/// use spillover_proxy::HeaderRules;
///
/// let rules = HeaderRules {
///     set: vec![("x-region".parse()?, "sweden".parse()?)],
///     remove: vec!["x-debug".parse()?],
/// };
/// let mut headers = HeaderMap::new();
/// headers.insert("x-debug", "1".parse()?);
/// rules.apply(&mut headers);
/// assert_eq!(headers["x-region"], "sweden");
/// assert!(!headers.contains_key("x-debug"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Fields to set. Each replaces every field of its name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Names of fields to remove, before others are set.
    pub remove: Vec<HeaderName>,
}

impl HeaderRules {
    /// Removes and sets the fields in `headers`.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }

    /// Returns true if no field is set or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}
