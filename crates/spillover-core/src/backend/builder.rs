use std::{fmt, num::NonZeroU32};

use http::{HeaderValue, Uri, uri::Scheme};

use crate::{Backend, BackendKind, Credential, InvalidBackend};

/// Builds a [`Backend`]; see [`Backend::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BackendBuilder {
    label: String,
    url: String,
    kind: Option<BackendKind>,
    priority: u32,
    weight: u32,
    credential: Option<Credential>,
    deployment: Option<String>,
    model: Option<String>,
    max_concurrency: Option<u32>,
}

impl BackendBuilder {
    pub(super) fn new(label: String) -> Self {
        Self {
            label,
            url: String::new(),
            kind: None,
            priority: 1,
            weight: 1,
            credential: None,
            deployment: None,
            model: None,
            max_concurrency: None,
        }
    }

    /// Sets the base URL, `http` or `https`. Its path is put in front of the path of every request. The root of an API
    /// at its end, such as `/v1`, is not repeated. Required.
    pub fn url(self, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..self
        }
    }

    /// Sets the form of OpenAI's API that the backend has. `RewriteRequest` of `tower-spillover` maps paths by it.
    /// Default: [`BackendKind::of_host`] of the URL's host.
    pub fn kind(self, kind: BackendKind) -> Self {
        Self {
            kind: Some(kind),
            ..self
        }
    }

    /// Sets the tier: a lower number is used first. Default 1.
    pub fn priority(self, priority: u32) -> Self {
        Self { priority, ..self }
    }

    /// Sets the share in the tier, relative to the weights of the others. Default 1.
    pub fn weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Sets the credential of requests to this backend. Without it the client's own credentials pass.
    pub fn credential(self, credential: Credential) -> Self {
        Self {
            credential: Some(credential),
            ..self
        }
    }

    /// Replaces the deployment: the path segment after `deployments`, or else the parameter `deployment` of the query. Where a
    /// request names a model instead, it replaces that, unless the backend has a [`model`](Self::model).
    pub fn deployment(self, deployment: impl Into<String>) -> Self {
        Self {
            deployment: Some(deployment.into()),
            ..self
        }
    }

    /// Replaces the model: the parameter `model` of the query, and the `model` of bodies, where a layer does that. Default: the
    /// [`deployment`](Self::deployment).
    pub fn model(self, model: impl Into<String>) -> Self {
        Self {
            model: Some(model.into()),
            ..self
        }
    }

    /// Limits the requests in flight at the backend. A backend at its limit takes no more, and requests go to others,
    /// as when it throttles. A request is in flight from the choice of the backend until its
    /// [`Selected`](crate::Selected) is released; the layers release it at the end of the response body. Default: no
    /// limit.
    pub fn max_concurrency(self, max_concurrency: u32) -> Self {
        Self {
            max_concurrency: Some(max_concurrency),
            ..self
        }
    }

    /// Builds the backend.
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] names the first field that does not hold what is expected of it:
    /// * the label is empty or has other characters than visible ASCII;
    /// * the URL is not an absolute `http` or `https` URL, or has a user, a query or a fragment;
    /// * the weight is 0;
    /// * the deployment is no single path segment of letters, digits, `-`, `_`, `.` or `~`;
    /// * the model is empty or has control characters;
    /// * the number of requests in flight is 0.
    pub fn build(self) -> Result<Backend, InvalidBackend> {
        let refuse = |field, expected| InvalidBackend::new(&self.label, field, expected);

        if self.label.is_empty() || !self.label.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refuse(
                "label",
                "one or more visible ASCII characters, no spaces",
            ));
        }
        let base = BaseUrl::parse(&self.url).ok_or_else(|| refuse("url", URL_EXPECTED))?;
        if self.weight == 0 {
            return Err(refuse("weight", COUNT_EXPECTED));
        }
        if let Some(deployment) = &self.deployment
            && !is_plain_segment(deployment)
        {
            return Err(refuse("deployment", DEPLOYMENT_EXPECTED));
        }
        let is_model = |model: &String| !model.is_empty() && !model.contains(char::is_control);
        if !self.model.as_ref().is_none_or(is_model) {
            return Err(refuse("model", MODEL_EXPECTED));
        }
        if self.max_concurrency == Some(0) {
            return Err(refuse("max_concurrency", COUNT_EXPECTED));
        }

        let kind = self.kind;
        Ok(Backend {
            label: self.label.into(),
            url: self.url.into(),
            kind: kind.unwrap_or_else(|| BackendKind::of_host(base.authority.host())),
            scheme: base.scheme,
            authority: base.authority,
            host: base.host,
            base_path: base.path,
            priority: self.priority,
            weight: self.weight,
            credential: self.credential,
            deployment: self.deployment.map(Into::into),
            model: self.model.map(Into::into),
            max_concurrency: self.max_concurrency.and_then(NonZeroU32::new),
        })
    }
}

impl fmt::Debug for BackendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URL, deployment and model are not checked yet: a secret may be in them, such as the password of a user.
        f.debug_struct("BackendBuilder")
            .field("label", &self.label)
            .field("kind", &self.kind)
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .field("credential", &self.credential)
            .field("max_concurrency", &self.max_concurrency)
            .finish_non_exhaustive()
    }
}

struct BaseUrl {
    scheme: Scheme,
    authority: http::uri::Authority,
    host: HeaderValue,
    path: Box<str>,
}

impl BaseUrl {
    fn parse(url: &str) -> Option<Self> {
        // `Uri` drops a fragment without a word.
        if url.contains('#') {
            return None;
        }
        let parts = url.parse::<Uri>().ok()?.into_parts();
        let scheme = parts.scheme?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return None;
        }
        let authority = parts.authority?;
        // `Authority` accepts anything as a port.
        let has_port = authority.as_str().len() > authority.host().len();
        let port_is_bad = has_port && authority.port_u16().is_none();
        if authority.host().is_empty() || authority.as_str().contains('@') || port_is_bad {
            return None;
        }
        let path_and_query = parts.path_and_query?;
        if path_and_query.query().is_some() {
            return None;
        }
        Some(Self {
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            path: path_and_query.path().trim_end_matches('/').into(),
            scheme,
            authority,
        })
    }
}

/// Returns true if a path segment has unreserved characters only (RFC 3986 section 2.3), which need no escape. A
/// segment of dots would be a step in the hierarchy (section 5.2.4).
fn is_plain_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

const COUNT_EXPECTED: &str = "a whole number of at least 1";
const URL_EXPECTED: &str = "an absolute URL, http or https, without user, query or fragment, such as https://name.openai.azure.com";
const MODEL_EXPECTED: &str = "a model";
const DEPLOYMENT_EXPECTED: &str =
    "a deployment name of letters, digits, `-`, `_`, `.` and `~`, without slashes";
