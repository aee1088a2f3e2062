use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use spillover_core::{Backend, BackendKind, Declined};
use tower::BoxError;
use tower_spillover::{
    model::{Edit, Extracted, ModelName, SplicedBody, Unreadable},
    rewrite::{ModelFromPath, UnsupportedPath},
};

use crate::{
    HeaderRules,
    error::{ErrorKind, ProxyError},
    model_error::unreadable_attempt,
};

/// Returns the current value of `authorization`, or the reason why there is none.
type Bearer = Arc<dyn Fn() -> Result<HeaderValue, BoxError> + Send + Sync>;

/// Rules for the requests to one backend.
#[derive(Clone)]
#[must_use]
pub struct RequestRules {
    headers: HeaderRules,
    /// Model that replaces the one in request bodies.
    model: Option<ModelName>,
    /// True when the model is replaced even if the path names a deployment.
    is_model_own: bool,
    /// True when a deployment of the path may have to be inserted into the body.
    takes_model_of_path: bool,
    bearer: Option<Bearer>,
}

impl RequestRules {
    /// Creates the rules that follow from the model and the kind of a backend.
    pub fn new(backend: &Backend) -> Self {
        Self {
            headers: HeaderRules::default(),
            model: backend.model().map(ModelName::new),
            is_model_own: backend.own_model().is_some(),
            takes_model_of_path: backend.kind() == BackendKind::OpenAi,
            bearer: None,
        }
    }

    /// Sets and removes header fields.
    pub fn headers(self, headers: HeaderRules) -> Self {
        Self { headers, ..self }
    }

    /// Sets `authorization` to the value that `bearer` returns for each attempt. An error means that the backend cannot be asked; the
    /// log shows it, and clients do not see it.
    pub fn bearer(
        self,
        bearer: impl Fn() -> Result<HeaderValue, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            bearer: Some(Arc::new(bearer)),
            ..self
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let takes_model = self.model.is_some() || self.takes_model_of_path;
        !takes_model && self.headers.is_empty() && self.bearer.is_none()
    }

    /// Returns the changes of a request with these extensions.
    ///
    /// # Errors
    ///
    /// Returns the reason if the backend cannot be asked.
    pub(super) fn changes(&self, extensions: &Extensions) -> Result<Changes, Refusal> {
        let bearer = self.bearer.as_ref().map(|bearer| bearer()).transpose();
        Ok(Changes {
            bearer: bearer.map_err(Refusal::NoToken)?,
            edit: self.edit(extensions)?,
        })
    }

    pub(super) fn apply<B: Body<Data = Bytes>>(
        &self,
        mut request: Request<B>,
        changes: Changes,
    ) -> Request<SplicedBody<B>> {
        self.headers.apply(request.headers_mut());
        if let Some(bearer) = changes.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        match changes.edit {
            Some(edit) => edit.apply(request),
            None => request.map(SplicedBody::unchanged),
        }
    }

    /// Returns the edit of the request body, if one is needed.
    fn edit(&self, extensions: &Extensions) -> Result<Option<Edit>, Refusal> {
        if extensions.get::<UnsupportedPath>().is_some() {
            return Err(Refusal::NoPath);
        }
        let found = extensions.get::<Extracted>();
        let unreadable = found.and_then(Extracted::unreadable_reason);
        if let Some(moved) = extensions.get::<ModelFromPath>() {
            let edit = found.and_then(|found| match &self.model {
                Some(model) => found.edit_to_insert(model),
                None => found.edit_to_insert(&ModelName::new(moved.model())),
            });
            let refusal = || {
                unreadable
                    .cloned()
                    .map_or(Refusal::NoPlace, Refusal::Unreadable)
            };
            return edit.map(Some).ok_or_else(refusal);
        }
        let (Some(model), Some(found)) = (&self.model, found) else {
            return Ok(None);
        };
        if found.is_in_path() && !self.is_model_own {
            return Ok(None);
        }
        match unreadable {
            Some(unreadable) => Err(Refusal::Unreadable(unreadable.clone())),
            None => Ok(found.edit_to_replace(model)),
        }
    }
}

impl fmt::Debug for RequestRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRules").finish_non_exhaustive()
    }
}

/// The changes of one request, beside header rules.
pub(super) struct Changes {
    bearer: Option<HeaderValue>,
    edit: Option<Edit>,
}

/// The reason why a backend cannot be asked.
pub(super) enum Refusal {
    NoToken(BoxError),
    /// The backend has no such path.
    NoPath,
    /// The backend reads the model in the body, and this one has no place for it.
    NoPlace,
    Unreadable(Unreadable),
}

impl Refusal {
    /// Returns the response in place of the backend's. The request may go to another backend.
    pub(super) fn response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = match self {
            Self::NoToken(_) => return without_token().into_response(),
            Self::NoPath => without_path().into_response(),
            Self::NoPlace => without_place().into_response(),
            Self::Unreadable(unreadable) => unreadable_attempt(unreadable),
        };
        response.extensions_mut().insert(Declined);
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(missing) => missing.fmt(f),
            Self::NoPath => f.write_str("the backend has no such path"),
            Self::NoPlace => f.write_str("the body has no place for the model that the path named"),
            Self::Unreadable(_) => f.write_str("the model in the body cannot be read"),
        }
    }
}

/// Returns the error for a missing token. The log has the reason, which is for operators only.
fn without_token() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Unavailable,
        message: "The gateway has no credential for the backend at the moment.".into(),
    }
}

fn without_path() -> ProxyError {
    ProxyError {
        kind: ErrorKind::NoPool,
        message: "No backend that could be asked has this path of Azure OpenAI.".into(),
    }
}

fn without_place() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Unsupported,
        message: "The path names a deployment, and the backend takes the model from the body. Send a JSON object or a form of at \
                  most 32 MiB, whose model is a string if there is one."
            .into(),
    }
}
