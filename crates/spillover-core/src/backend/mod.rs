//! One backend: its address, its place in the order of preference, and its credential.

mod builder;
mod credential;
mod kind;
#[cfg(test)]
mod tests;

use std::{fmt, num::NonZeroU32};

use http::{
    HeaderValue,
    uri::{Authority, Scheme},
};

pub use self::{builder::BackendBuilder, credential::Credential, kind::BackendKind};

/// A rate-limited service that can take requests: base URL, priority, weight, credential, deployment.
///
/// ```
/// use spillover_core::{Backend, Credential};
///
/// let backend = Backend::builder("sweden")
///     .url("https://sweden.openai.azure.com/base/")
///     .priority(2)
///     .credential(Credential::api_key("s3cret")?)
///     .deployment("gpt-4o")
///     .build()?;
///
/// assert_eq!(backend.authority().as_str(), "sweden.openai.azure.com");
/// assert_eq!(backend.base_path(), "/base");
/// assert!(!format!("{backend:?}").contains("s3cret"));
/// # Ok::<_, spillover_core::InvalidBackend>(())
/// ```
#[derive(Clone)]
pub struct Backend {
    label: Box<str>,
    url: Box<str>,
    kind: BackendKind,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    base_path: Box<str>,
    priority: u32,
    weight: u32,
    credential: Option<Credential>,
    deployment: Option<Box<str>>,
    model: Option<Box<str>>,
    max_concurrency: Option<NonZeroU32>,
}

impl Backend {
    /// Starts the description of a backend. The label names it in logs and metrics, and is unique in its pool.
    pub fn builder(label: impl Into<String>) -> BackendBuilder {
        BackendBuilder::new(label.into())
    }

    /// Returns the name of the backend in logs and metrics.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the base URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the form of OpenAI's API that the backend has.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        self.kind
    }

    /// Returns the scheme of the base URL: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Returns the host and port of the base URL.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns the authority as the value of a `Host` field.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Returns the path of the base URL without a slash at its end, e.g. `/base`. Empty if the URL has no path.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Returns the priority: a lower number is used first. Backends of one priority form a tier.
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// Returns the share of this backend in its tier, relative to the weights of the others; at least 1.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Returns the credential of requests to this backend; `None` lets the client's own credentials pass.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Returns the deployment that replaces the one in the path.
    #[must_use]
    pub fn deployment(&self) -> Option<&str> {
        self.deployment.as_deref()
    }

    /// Returns the model that replaces the one of a request: the backend's own model, or else its deployment.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.own_model().or(self.deployment())
    }

    /// Returns the backend's own model. A deployment does not count.
    #[must_use]
    pub fn own_model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Returns the limit of requests in flight from this pool. `None` is no limit.
    #[must_use]
    pub fn max_concurrency(&self) -> Option<NonZeroU32> {
        self.max_concurrency
    }

    /// Returns true if both are one service with one account, or one service that gets the clients' credentials. Such
    /// backends share their state.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.label == other.label
            && self.scheme == other.scheme
            && self.authority == other.authority
            && self.base_path == other.base_path
            && self.deployment == other.deployment
            && self.model == other.model
            && self.credential.is_some() == other.credential.is_some()
    }

    /// Returns true if both authenticate by the same field with the same value. A value that a layer adds counts as the same.
    pub(crate) fn has_credential_of(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|it| it.credential().map(Credential::field));
        ours == theirs
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("label", &self.label)
            .field("url", &self.url)
            .field("kind", &self.kind)
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .field("credential", &self.credential)
            .field("deployment", &self.deployment)
            .field("model", &self.model)
            .field("max_concurrency", &self.max_concurrency)
            .finish_non_exhaustive()
    }
}
