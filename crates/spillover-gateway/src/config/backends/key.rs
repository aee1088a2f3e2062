use clap::ValueEnum;
use spillover_core::BackendKind;

use crate::config::{Problem, error::Problems, flags::FlagText, names, variables::Setting};

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

/// Reads the `number`th `--backend` flag. Returns the label, and the settings that are not blank.
pub(super) fn read_flag(
    number: usize,
    text: &FlagText,
    problems: &mut Problems,
) -> Option<(String, Vec<(Key, Setting)>)> {
    let flag = text.setting(format!("--backend #{number}"))?;
    let (label, pairs) = problems.keep(flag.read(split).map(Some))?;

    // The label is printed from here on: text with keys after it is a label, not a stray secret.
    let label = label.replace(char::is_control, "\u{FFFD}");
    let mut settings = Vec::new();
    for (name, value) in pairs {
        match flag_key(&name, &label) {
            Ok(key) => {
                let setting = Setting::new(key.flag(&label), value.as_ref());
                settings.extend(setting.map(|setting| (key, setting)));
            }
            Err(message) => problems.add(Problem::new(format!("--backend {label}"), message)),
        }
    }
    Some((label, settings))
}

/// Splits a flag into the label, and the texts left and right of each `=`.
fn split(text: &str) -> Result<(String, Pairs), &'static str> {
    let mut parts = text.split(',').map(str::trim);
    let label = parts.next().unwrap_or_default();
    let pairs: Option<Pairs> = parts
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('='))
        .map(|pair| pair.map(|(key, value)| (key.trim().to_owned(), value.to_owned())))
        .collect();
    let is_label = !label.is_empty() && !label.contains('=');
    pairs
        .filter(|pairs| is_label && !pairs.is_empty())
        .map(|pairs| (label.to_owned(), pairs))
        .ok_or("LABEL,KEY=VALUE,..., such as 1,url=https://name.openai.azure.com,priority=1")
}

type Pairs = Vec<(String, String)>;

/// Returns the key of this name, or the reason to refuse it. The reason does not repeat the name, which may be a part of a
/// value.
fn flag_key(name: &str, label: &str) -> Result<Key, String> {
    let known = Key::named(name);
    let Some(meant) = known.or_else(|| Key::closest(name)) else {
        return Err(
            "an unknown key; expected url, priority, auth, deployment_name, kind or protocol"
                .to_owned(),
        );
    };
    if meant == Key::Apikey {
        return Err(format!(
            "process lists show flags, so no API key is taken here; set it in {}",
            meant.variable(label)
        ));
    }
    known.ok_or_else(|| {
        let meant = meant.flag_name();
        format!("an unknown key; did you mean {meant}?")
    })
}
