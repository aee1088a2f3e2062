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
    /// Where clients of LLM APIs put their own: OpenAI and Entra ID, Azure OpenAI, API Management, Anthropic, Gemini.
    pub const CLIENT_FIELDS: [HeaderName; 5] = [
        AUTHORIZATION,
        HeaderName::from_static("api-key"),
        HeaderName::from_static("ocp-apim-subscription-key"),
        HeaderName::from_static("x-api-key"),
        HeaderName::from_static("x-goog-api-key"),
    ];

    /// A key in the `api-key` field, as Azure OpenAI wants it.
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] when the key is empty or cannot stand in a header field.
    pub fn api_key(key: impl AsRef<str>) -> Result<Self, InvalidBackend> {
        Self::header(HeaderName::from_static("api-key"), key)
    }

    /// A token in the `authorization` field, scheme `Bearer` (RFC 6750).
    ///
    /// # Errors
    ///
    /// [`InvalidBackend`] when the token is empty or cannot stand in a header field.
    pub fn bearer(token: impl AsRef<str>) -> Result<Self, InvalidBackend> {
        check(token.as_ref())?;
        Self::header(AUTHORIZATION, format!("Bearer {}", token.as_ref()))
    }

    /// A secret in a field of any name, such as `x-api-key`.
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

    /// One that a layer of your own adds to each request, inside the one that rewrites it: a token that expires, or a
    /// signature. The backend has a credential of its own then, and gets none of the client's.
    #[must_use]
    pub fn by_layer() -> Self {
        Self { field: None }
    }

    /// The name and the value of the field; the value is a secret, and marked as sensitive. `None` for one that a layer adds.
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
