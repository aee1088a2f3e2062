use spillover_core::BackendKind;

use super::list::{Field, Object, Value};
use crate::config::values;

/// A backend of the policy, as far as it is understood.
#[derive(Debug)]
pub(super) struct ImportedBackend {
    pub(super) line: usize,
    /// `None` when it is computed, or no URL.
    pub(super) url: Option<String>,
    pub(super) priority: Option<u32>,
    pub(super) weight: Option<u32>,
    pub(super) deployment: Option<String>,
    pub(super) kind: Option<BackendKind>,
    /// What it says of its own credential.
    pub(super) auth: BackendAuth,
    /// What is not understood, by the names of its fields.
    pub(super) unknown: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BackendAuth {
    /// Nothing: it is as for all.
    #[default]
    Unsaid,
    Key,
    Bearer,
    Entra,
    Passthrough,
}

impl ImportedBackend {
    pub(super) fn new(object: &Object, line: usize) -> Self {
        let mut backend = Self {
            line,
            url: None,
            priority: None,
            weight: None,
            deployment: None,
            kind: None,
            auth: BackendAuth::default(),
            unknown: Vec::new(),
        };
        for field in &object.fields {
            backend.field(field);
        }
        backend
    }

    fn field(&mut self, Field { name, value }: &Field) {
        let known = name.to_ascii_lowercase().replace(['-', '_'], "");
        match (&*known, value) {
            ("url", Value::Text(url)) => {
                let url = url.trim_end_matches('/');
                self.url = values::url(url).ok();
            }
            // Said where the backend is written.
            ("url", _) => {}
            ("priority", Value::Number(priority)) => self.priority = Some(*priority),
            ("weight", Value::Number(weight @ 1..)) => self.weight = Some(*weight),
            ("deploymentname" | "deployment", Value::Text(name))
                if values::deployment(name).is_ok() =>
            {
                self.deployment = Some(name.clone());
            }
            ("kind", Value::Text(kind)) if values::kind(kind).is_ok() => {
                self.kind = values::kind(kind).ok().map(BackendKind::from);
            }
            // An empty one stands for none.
            ("apikey" | "key" | "deploymentname" | "deployment", Value::Text(text))
                if text.trim().is_empty() => {}
            ("apikey" | "key", _) if self.auth == BackendAuth::Bearer => {}
            ("apikey" | "key", _) => self.auth = BackendAuth::Key,
            ("auth", Value::Text(auth)) => self.auth(name, auth),
            // What the policy keeps there for itself.
            ("isthrottling" | "retryafter", _) => {}
            _ => self.unknown(name),
        }
    }

    fn auth(&mut self, name: &str, auth: &str) {
        let auth = auth.to_ascii_lowercase().replace(['-', '_', ' '], "");
        match &*auth {
            "" => {}
            // The key is in a field of its own, or somewhere else.
            "key" | "apikey" => self.auth = BackendAuth::Key,
            "bearer" | "bearertoken" => self.auth = BackendAuth::Bearer,
            "managedidentity" | "msi" | "entra" | "entraid" | "aad" | "azuread" => {
                self.auth = BackendAuth::Entra;
            }
            "none" | "passthrough" => self.auth = BackendAuth::Passthrough,
            _ => self.unknown(name),
        }
    }

    fn unknown(&mut self, name: &str) {
        let is_name = name.len() <= 40
            && name
                .bytes()
                .all(|b| b.is_ascii_alphabetic() || b == b'-' || b == b'_');
        // Anything else would say more than a name.
        let name = if is_name { name } else { "a field" };
        self.unknown.push(name.to_owned());
    }
}

impl Object {
    pub(super) fn has_url(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case("url"))
    }
}
