use roxmltree::{Document, Node};
use spillover_core::{Backend, BackendBuilder, BackendKind};

use super::csharp::{Object, Value, objects};

/// The settings of a policy that a configuration has too.
#[derive(Default)]
pub(super) struct Policy {
    pub(super) backends: Vec<ImportedBackend>,
    pub(super) auth: PolicyAuth,
    pub(super) expose_backend_url: bool,
    /// Seconds to the head of the response.
    pub(super) timeout: Option<u32>,
    /// One line for each setting that is not taken over.
    pub(super) notes: Vec<String>,
}

/// Credential for backends that name none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PolicyAuth {
    #[default]
    None,
    ManagedIdentity,
    /// One key in the `api-key` field.
    Key,
}

/// A backend of the policy.
#[derive(Default)]
pub(super) struct ImportedBackend {
    pub(super) line: usize,
    /// `None`: the URL is an expression, or no URL.
    pub(super) url: Option<String>,
    pub(super) priority: Option<u32>,
    pub(super) weight: Option<u32>,
    pub(super) deployment: Option<String>,
    pub(super) kind: Option<BackendKind>,
    /// `None`: the credential of the policy.
    pub(super) auth: Option<BackendAuth>,
    /// Names of the fields that are not taken over.
    pub(super) unknown: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BackendAuth {
    Key,
    Bearer,
    Entra,
    Passthrough,
}

impl Policy {
    pub(super) fn read(document: &Document<'_>) -> Self {
        let mut policy = Self::default();
        for node in document.descendants().filter(Node::is_element) {
            let line = document.text_pos_at(node.range().start).row as usize;
            policy.add_element(node, line);
        }
        policy
    }

    fn add_element(&mut self, node: Node<'_, '_>, line: usize) {
        let attribute = |name| node.attribute(name).unwrap_or_default();
        let name = node.tag_name().name();
        match name {
            // The gateway does this by itself.
            "policies" | "inbound" | "backend" | "outbound" | "on-error" | "base" | "choose"
            | "when" | "otherwise" | "retry" | "value" | "cache-lookup-value"
            | "cache-store-value" | "cache-remove-value" => {}
            "set-backend-service" if node.attribute("backend-id").is_none() => {}
            "set-variable" => self.add_variable(attribute("name"), attribute("value"), line),
            "authentication-managed-identity" => self.auth = PolicyAuth::ManagedIdentity,
            "set-header" => self.add_header(&attribute("name").to_ascii_lowercase(), line),
            "forward-request" => self.add_timeout(attribute("timeout"), line),
            _ => self.note(line, &format!("<{name}>")),
        }
    }

    fn add_variable(&mut self, name: &str, value: &str, line: usize) {
        let objects = objects(value);
        if !objects.iter().any(Object::has_url) {
            // Variables that choose a backend and count the rest.
            let known = [
                "listBackends",
                "backendIndex",
                "remainingBackends",
                "backendUrl",
            ];
            if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.note(line, "a <set-variable> that is no list of backends");
            }
        } else if !self.backends.is_empty() {
            let what = "another list of backends, which would be a pool of its own";
            self.note(line, what);
        } else {
            for object in &objects {
                let line = line + object.line;
                if object.has_url() {
                    self.backends.push(ImportedBackend::new(object, line));
                } else {
                    self.note(line, "an object without a \"url\"");
                }
            }
        }
    }

    fn add_header(&mut self, name: &str, line: usize) {
        match name {
            // The token of the managed identity.
            "authorization" => {}
            "x-openai-backendurl" => self.expose_backend_url = true,
            "api-key" => {
                if self.auth == PolicyAuth::None {
                    self.auth = PolicyAuth::Key;
                }
            }
            _ => {
                let what = "a <set-header>; see request_headers and response_headers";
                self.note(line, what);
            }
        }
    }

    fn add_timeout(&mut self, timeout: &str, line: usize) {
        match timeout.parse() {
            Ok(seconds) if (1..=86_400).contains(&seconds) => self.timeout = Some(seconds),
            _ if timeout.is_empty() => {}
            _ => self.note(line, "the timeout of <forward-request>"),
        }
    }

    fn note(&mut self, line: usize, what: &str) {
        let note = format!("line {line}: not taken over: {what}");
        self.notes.push(note);
    }
}

impl ImportedBackend {
    fn new(object: &Object, line: usize) -> Self {
        let mut backend = Self {
            line,
            ..Self::default()
        };
        for (name, value) in &object.fields {
            backend.add_field(name, value);
        }
        backend
    }

    fn add_field(&mut self, name: &str, value: &Value) {
        let known = name.to_ascii_lowercase().replace(['-', '_'], "");
        match (&*known, value) {
            ("url", Value::Text(url)) => {
                let url = url.trim_end_matches('/');
                self.url = is_valid(|backend| backend.url(url)).then(|| url.to_owned());
            }
            // Noted when the backend is written.
            ("url", _) => {}
            ("priority", Value::Number(priority)) => self.priority = Some(*priority),
            ("weight", Value::Number(weight @ 1..)) => self.weight = Some(*weight),
            ("deploymentname" | "deployment", Value::Text(name))
                if is_valid(|backend| backend.deployment(name)) =>
            {
                self.deployment = Some(name.clone());
            }
            ("kind", Value::Text(kind)) => {
                let mut kinds = KINDS.into_iter();
                self.kind = kinds.find(|known| known.as_str().eq_ignore_ascii_case(kind));
                if self.kind.is_none() {
                    self.add_unknown(name);
                }
            }
            // An empty one stands for none.
            ("apikey" | "key" | "deploymentname" | "deployment", Value::Text(text))
                if text.trim().is_empty() => {}
            ("apikey" | "key", _) if self.auth == Some(BackendAuth::Bearer) => {}
            ("apikey" | "key", _) => self.auth = Some(BackendAuth::Key),
            ("auth", Value::Text(auth)) => self.add_auth(name, auth),
            // The policy keeps its own state there.
            ("isthrottling" | "retryafter", _) => {}
            _ => self.add_unknown(name),
        }
    }

    fn add_auth(&mut self, name: &str, auth: &str) {
        let auth = auth.to_ascii_lowercase().replace(['-', '_', ' '], "");
        self.auth = match &*auth {
            "" => return,
            // The key is in a field of its own, or somewhere else.
            "key" | "apikey" => Some(BackendAuth::Key),
            "bearer" | "bearertoken" => Some(BackendAuth::Bearer),
            "managedidentity" | "msi" | "entra" | "entraid" | "aad" | "azuread" => {
                Some(BackendAuth::Entra)
            }
            "none" | "passthrough" => Some(BackendAuth::Passthrough),
            _ => return self.add_unknown(name),
        };
    }

    fn add_unknown(&mut self, name: &str) {
        let is_name = name.len() <= 40
            && name
                .bytes()
                .all(|b| b.is_ascii_alphabetic() || b == b'-' || b == b'_');
        // A longer text may be more than a name.
        let name = if is_name { name } else { "a field" };
        self.unknown.push(name.to_owned());
    }
}

fn is_valid(set: impl FnOnce(BackendBuilder) -> BackendBuilder) -> bool {
    let backend = Backend::builder("imported").url("https://imported.invalid");
    set(backend).build().is_ok()
}

const KINDS: [BackendKind; 3] = [BackendKind::Azure, BackendKind::OpenAi, BackendKind::Other];
