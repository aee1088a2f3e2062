/// What can be set for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Url,
    Priority,
    Apikey,
    DeploymentName,
}

impl Key {
    const ALL: [Self; 4] = [
        Self::Url,
        Self::Priority,
        Self::Apikey,
        Self::DeploymentName,
    ];

    /// The key of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|key| key.name().eq_ignore_ascii_case(name))
    }

    /// The key that was probably meant by this name.
    pub(super) fn closest(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        Self::ALL
            .into_iter()
            .map(|key| (similarity(key.name(), &name), key))
            .filter(|(similarity, _)| *similarity > CLOSE)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, key)| key)
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
            Self::DeploymentName => "DEPLOYMENT_NAME",
        }
    }
}

/// Favours a common start (`DEPLOYMENT`), or few slips of the finger (`ULR`).
fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b).max(strsim::normalized_damerau_levenshtein(a, b))
}

/// Just below one slip in three letters.
const CLOSE: f64 = 0.66;

/// What the name of every variable of a backend starts with.
pub(super) const PREFIX: &str = "BACKEND_";
