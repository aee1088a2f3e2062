use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// In the extensions of a request that [`RewriteRequest`](super::RewriteRequest) sent on: the model that its path named, and
/// that the path at this backend does not name any more.
///
/// `/openai/deployments/gpt-4o/chat/completions` becomes `/v1/chat/completions` at a backend of the kind
/// [`OpenAi`](spillover_core::BackendKind::OpenAi), which reads the model from the body only. A layer inside this one puts it
/// there: the rewrite does not touch bodies. SDKs of Azure OpenAI mostly leave a `model` in the body, which is the client's
/// name for it; [`model`](Self::model) replaces that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFromPath {
    model: Arc<str>,
}

impl ModelFromPath {
    /// Creates the value from the backend's own model, or else from the one in the path. `deployment` is a segment of the path.
    pub(super) fn new(own: Option<&str>, deployment: &str) -> Self {
        let model = match own {
            Some(own) => own.into(),
            None => percent_decode_str(deployment).decode_utf8_lossy(),
        };
        Self {
            model: model.into(),
        }
    }

    /// Returns the model to put into the body: [that of the backend](spillover_core::Backend::model), or else the one that the
    /// path named, without escapes.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// In the extensions of a request that [`RewriteRequest`](super::RewriteRequest) sent on: the selected backend has no such
/// path, such as `/openai/deployments/gpt-4o/extensions/chat/completions` at OpenAI.
///
/// The path is as the client sent it, and the backend's answer is 404. A layer inside may answer in its place, so that
/// another backend gets the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsupportedPath;
