use roxmltree::{Document, Node};

use super::{
    backend::ImportedBackend,
    list::{self, Object},
};

/// What a policy says that a configuration can say too.
#[derive(Debug, Default)]
pub(super) struct Policy {
    pub(super) backends: Vec<ImportedBackend>,
    pub(super) auth: PolicyAuth,
    pub(super) expose_backend_url: bool,
    /// Seconds to the head of the response.
    pub(super) timeout: Option<u32>,
    /// What was not taken over.
    pub(super) notes: Vec<String>,
}

/// What the policy authenticates with where a backend says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PolicyAuth {
    #[default]
    None,
    ManagedIdentity,
    /// One key in the `api-key` field.
    Key,
}

impl Policy {
    pub(super) fn read(document: &Document<'_>) -> Self {
        let mut policy = Self::default();
        for node in document.descendants().filter(Node::is_element) {
            let line = document.text_pos_at(node.range().start).row as usize;
            policy.element(node, line);
        }
        policy
    }

    fn element(&mut self, node: Node<'_, '_>, line: usize) {
        let attribute = |name| node.attribute(name).unwrap_or_default();
        let name = node.tag_name().name();
        match name {
            // What the gateway does by itself.
            "policies" | "inbound" | "backend" | "outbound" | "on-error" | "base" | "choose"
            | "when" | "otherwise" | "retry" | "value" | "cache-lookup-value"
            | "cache-store-value" | "cache-remove-value" => {}
            "set-backend-service" if node.attribute("backend-id").is_none() => {}
            "set-variable" => self.variable(attribute("name"), attribute("value"), line),
            "authentication-managed-identity" => self.auth = PolicyAuth::ManagedIdentity,
            "set-header" => self.header(&attribute("name").to_ascii_lowercase(), line),
            "forward-request" => self.forward(attribute("timeout"), line),
            _ => self.note(line, &format!("<{name}>")),
        }
    }

    fn variable(&mut self, name: &str, value: &str, line: usize) {
        let objects = list::objects(value);
        let is_list = objects.iter().any(Object::has_url);
        if !is_list {
            // Those that choose a backend and count what is left.
            let is_known = [
                "listBackends",
                "backendIndex",
                "remainingBackends",
                "backendUrl",
            ]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
            if !is_known {
                self.note(line, "a <set-variable> that is no list of backends");
            }
            return;
        }
        if !self.backends.is_empty() {
            self.note(
                line,
                "another list of backends, which would be a pool of its own",
            );
            return;
        }
        for object in &objects {
            let line = line + object.line;
            if object.has_url() {
                self.backends.push(ImportedBackend::new(object, line));
            } else {
                self.note(line, "an object without a \"url\"");
            }
        }
    }

    fn header(&mut self, name: &str, line: usize) {
        match name {
            // With the token of the managed identity.
            "authorization" => {}
            "x-openai-backendurl" => self.expose_backend_url = true,
            "api-key" => {
                if self.auth == PolicyAuth::None {
                    self.auth = PolicyAuth::Key;
                }
            }
            _ => self.note(
                line,
                "a <set-header>; see request_headers and response_headers",
            ),
        }
    }

    fn forward(&mut self, timeout: &str, line: usize) {
        if timeout.is_empty() {
            return;
        }
        match timeout.parse() {
            Ok(seconds) if (1..=86_400).contains(&seconds) => self.timeout = Some(seconds),
            _ => self.note(line, "the timeout of <forward-request>"),
        }
    }

    fn note(&mut self, line: usize, what: &str) {
        self.notes
            .push(format!("line {line}: not taken over: {what}"));
    }
}
