use super::{Affinity, Scope, Tried};

/// What a request asks of a [`Pool`](super::Pool): where it has been, what its limits apply to, where it belongs.
///
/// ```
/// use spillover_core::{Affinity, Query, Scope, Tried};
///
/// let tried = Tried::new();
/// let query = Query::new().tried(&tried).scope(Scope::of("gpt-4o")).affinity(Affinity::to("sweden"));
/// # let _ = query;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Query<'a> {
    tried: Option<&'a Tried>,
    pub(super) scope: Scope,
    pub(super) affinity: Option<Affinity>,
}

impl<'a> Query<'a> {
    /// For any backend, of a request that has been at none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out the backends that the request has been at. Default: none.
    pub fn tried(self, tried: &'a Tried) -> Self {
        Self {
            tried: Some(tried),
            ..self
        }
    }

    /// The scope of the request. Default: [`Scope::WHOLE`].
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Where the request belongs. Default: nowhere.
    pub fn affinity(self, affinity: impl Into<Option<Affinity>>) -> Self {
        Self {
            affinity: affinity.into(),
            ..self
        }
    }

    /// The backend to which the request is sent once more.
    pub(super) fn resend_to(&self) -> Option<usize> {
        self.tried.and_then(Tried::resend_to)
    }

    pub(super) fn has_tried(&self, index: usize) -> bool {
        self.tried.is_some_and(|tried| tried.contains(index))
    }
}
