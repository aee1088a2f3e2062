use spillover_core::BackendKind;

/// What authenticates the gateway to a backend of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    /// The key in `api-key`.
    Key,
    /// The key in `authorization`, with the scheme `Bearer`.
    Bearer,
    Entra,
    Passthrough,
}

impl Auth {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match &*text.to_ascii_lowercase() {
            "key" => Ok(Self::Key),
            "bearer" => Ok(Self::Bearer),
            "entra" => Ok(Self::Entra),
            "passthrough" => Ok(Self::Passthrough),
            _ => Err("key, bearer, entra or passthrough"),
        }
    }

    /// Returns the default, which is that of the smart load balancing container of Azure's samples. OpenAI does not read
    /// `api-key`, so a key goes there as a bearer token.
    pub(super) fn default_with(has_key: bool, kind: BackendKind) -> Self {
        match kind {
            _ if !has_key => Self::Entra,
            BackendKind::OpenAi => Self::Bearer,
            _ => Self::Key,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Bearer => "bearer",
            Self::Entra => "entra",
            Self::Passthrough => "passthrough",
        }
    }
}
