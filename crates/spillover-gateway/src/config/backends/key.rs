use clap::ValueEnum;
use spillover_core::BackendKind;

use crate::config::names;

/// Start of the names of all variables of backends.
pub(in crate::config) const PREFIX: &str = "BACKEND_";

/// A setting of a backend.
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
    /// The keys with the ends of their variables.
    const ALL: [(Self, &str); 7] = [
        (Self::Url, "URL"),
        (Self::Priority, "PRIORITY"),
        (Self::Apikey, "APIKEY"),
        (Self::Auth, "AUTH"),
        (Self::DeploymentName, "DEPLOYMENT_NAME"),
        (Self::Kind, "KIND"),
        (Self::Protocol, "PROTOCOL"),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Returns the key of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(key, known)| known.eq_ignore_ascii_case(name).then_some(key))
    }

    /// Returns the key that is probably meant by a misspelt name.
    pub(super) fn closest(name: &str) -> Option<Self> {
        let known = Self::ALL.map(|(_, known)| known);
        names::closest(&name.to_ascii_uppercase(), known).and_then(Self::named)
    }

    /// Takes `<label>_<key>` apart, if it ends with a key and the label is not empty.
    pub(super) fn split(name: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|(key, known)| {
            let label = name.strip_suffix(known)?.strip_suffix('_')?;
            (!label.is_empty()).then_some((label, key))
        })
    }

    /// Returns the name of the variable that sets this key of a label.
    pub(super) fn variable(self, label: &str) -> String {
        format!("{PREFIX}{}_{}", label.to_ascii_uppercase(), self.name())
    }

    /// Returns the flag that sets this key of a label.
    pub(super) fn flag(self, label: &str) -> String {
        format!("--backend {label},{}", self.flag_name())
    }

    pub(super) fn flag_name(self) -> String {
        self.name().to_ascii_lowercase()
    }
}

/// The credential that a backend of the environment gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
        Self::from_str(text, true).map_err(|_| "key, bearer, entra or passthrough")
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
}
