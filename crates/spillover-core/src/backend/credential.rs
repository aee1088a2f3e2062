use std::fmt;

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::InvalidBackend;

/// The header field that authenticates a request to a backend. The value prints as `[redacted]`.
#[derive(Clone)]
pub struct Credential {
    /// `None` if a layer adds it.
    field: Option<(HeaderName, HeaderValue)>,
}

impl Credential {
    /// The fields in which clients of LLM APIs send their credentials: OpenAI and Entra ID, Azure OpenAI, API
    /// Management, Anthropic, Gemini.
    pub const CLIENT_FIELDS: [HeaderName; 5] = [
        AUTHORIZATION,
        HeaderName::from_static("api-key"),
        HeaderName::from_static("ocp-apim-subscription-key"),
        HeaderName::from_static("x-api-key"),
        HeaderName::from_static("x-goog-api-key"),
    ];

    /// The fields that name the account of a client's credential, and that a backend refuses beside another credential:
    /// [OpenAI](https://platform.openai.com/docs/api-reference/authentication), the backend of Codex, and
    /// [Google](https://cloud.google.com/apis/docs/system-parameters).
    pub const ACCOUNT_FIELDS: [HeaderName; 4] = [
        HeaderName::from_static("openai-organization"),
        HeaderName::from_static("openai-project"),
        HeaderName::from_static("chatgpt-account-id"),
        HeaderName::from_static("x-goog-user-project"),
    ];

    /// Creates a credential with a key in the `api-key` field, for Azure OpenAI.
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] when the key is empty or cannot stand in a header field.
    pub fn api_key(key: impl AsRef<str>) -> Result<Self, InvalidBackend> {
        Self::header(HeaderName::from_static("api-key"), key)
    }

    /// Creates a credential with a token in the `authorization` field, scheme `Bearer` (RFC 6750).
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] when the token is empty or cannot stand in a header field.
    pub fn bearer(token: impl AsRef<str>) -> Result<Self, InvalidBackend> {
        check(token.as_ref())?;
        Self::header(AUTHORIZATION, format!("Bearer {}", token.as_ref()))
    }

    /// Creates a credential with a secret in the named field, e.g. `x-api-key`.
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] when the value is empty or cannot stand in a header field.
    pub fn header(name: HeaderName, value: impl AsRef<str>) -> Result<Self, InvalidBackend> {
        let mut value = check(value.as_ref())?;
        // Keeps the value out of `Debug` output and out of HTTP/2's compression tables (RFC 7541 section 7.1.3).
        value.set_sensitive(true);
        Ok(Self {
            field: Some((name, value)),
        })
    }

    /// Creates a credential that your own layer adds to each request, inside `RewriteRequest`. For example, a token
    /// that expires, or a signature. The backend then gets no credential of the client.
    #[must_use]
    pub fn by_layer() -> Self {
        Self { field: None }
    }

    /// Returns the name and the value of the field. The value is a secret and marked as sensitive. Returns `None` for a
    /// credential that a layer adds.
    #[must_use]
    pub fn field(&self) -> Option<(&HeaderName, &HeaderValue)> {
        self.field.as_ref().map(|(name, value)| (name, value))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some((name, _)) => write!(f, "{name}: [redacted]"),
            None => f.write_str("by a layer"),
        }
    }
}

fn check(secret: &str) -> Result<HeaderValue, InvalidBackend> {
    let refuse = || {
        InvalidBackend::new(
            "",
            "credential",
            "a secret of one or more visible ASCII characters",
        )
    };
    if secret.is_empty() || !secret.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Err(refuse());
    }
    HeaderValue::from_str(secret).map_err(|_| refuse())
}
