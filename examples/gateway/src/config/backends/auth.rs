/// What authenticates the gateway to a backend of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    Key,
    Entra,
    Passthrough,
}

impl Auth {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match &*text.to_ascii_lowercase() {
            "key" => Ok(Self::Key),
            "entra" => Ok(Self::Entra),
            "passthrough" => Ok(Self::Passthrough),
            _ => Err("key, entra or passthrough"),
        }
    }

    /// Where nothing is said: as the smart load balancing container of Azure's samples does it.
    pub(super) fn default_with(has_key: bool) -> Self {
        if has_key { Self::Key } else { Self::Entra }
    }
}
