use spillover_core::BackendKind;

use crate::config::names;

/// What can be set for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Url,
    Priority,
    Apikey,
    Auth,
    DeploymentName,
    Kind,
    Protocol,
}

impl Key {
    const ALL: [Self; 7] = [
        Self::Url,
        Self::Priority,
        Self::Apikey,
        Self::Auth,
        Self::DeploymentName,
        Self::Kind,
        Self::Protocol,
    ];

    /// The key of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|key| key.name().eq_ignore_ascii_case(name))
    }

    /// The key that was probably meant by this name.
    pub(super) fn closest(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().map(Self::name);
        names::closest(&name.to_ascii_uppercase(), known).and_then(Self::named)
    }

    /// Takes `<label>_<key>` apart, when it ends with a key and the label is not empty.
    pub(super) fn split(name: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|key| {
            let label = name.strip_suffix(key.name())?.strip_suffix('_')?;
            (!label.is_empty()).then_some((label, key))
        })
    }

    /// The name of the variable that sets this key of a label.
    pub(super) fn variable(self, label: &str) -> String {
        format!("{PREFIX}{}_{}", label.to_ascii_uppercase(), self.name())
    }

    /// The flag that sets this key of a label.
    pub(super) fn flag(self, label: &str) -> String {
        format!("--backend {label},{}", self.flag_name())
    }

    pub(super) fn flag_name(self) -> String {
        self.name().to_ascii_lowercase()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Url => "URL",
            Self::Priority => "PRIORITY",
            Self::Apikey => "APIKEY",
            Self::Auth => "AUTH",
            Self::DeploymentName => "DEPLOYMENT_NAME",
            Self::Kind => "KIND",
            Self::Protocol => "PROTOCOL",
        }
    }
}

/// What the name of every variable of a backend starts with.
pub(in crate::config) const PREFIX: &str = "BACKEND_";

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
