use http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields to set and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderRules {
    /// Fields to set. Each replaces every field of its name.
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    /// Names of fields to remove, before others are set.
    pub(crate) remove: Vec<HeaderName>,
}

impl HeaderRules {
    /// Removes and sets the fields in `headers`.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}
