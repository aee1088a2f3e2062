use std::iter;

use super::{
    Imported,
    policy::{BackendAuth, ImportedBackend, Policy, PolicyAuth},
};

/// Writes the configuration that a policy stands for.
pub(super) fn write(policy: Policy) -> Imported {
    let mut writer = Writer {
        toml: HEAD.to_owned(),
        notes: policy.notes,
        names: Vec::new(),
        auth: policy.auth,
    };
    for note in &writer.notes {
        writer.toml += &format!("# {note}\n");
    }
    if !writer.notes.is_empty() {
        writer.toml.push('\n');
    }
    writer.line("[[pools]]");
    if policy.expose_backend_url {
        writer.line("expose_backend_url = true");
    }
    if let Some(seconds) = policy.timeout {
        writer.line(&format!("timeouts.response_head = \"{seconds}s\""));
    }
    for backend in &policy.backends {
        writer.backend(backend);
    }
    let mut backends = policy.backends.iter();
    if policy.auth == PolicyAuth::None && backends.any(|backend| backend.auth.is_none()) {
        let note = "the policy does not authenticate to these backends: the client's own credentials pass through";
        writer.notes.push(note.to_owned());
    }
    Imported {
        toml: writer.toml,
        notes: writer.notes,
    }
}

struct Writer {
    toml: String,
    notes: Vec<String>,
    /// Names of the backends so far.
    names: Vec<String>,
    auth: PolicyAuth,
}

impl Writer {
    fn backend(&mut self, backend: &ImportedBackend) {
        let line = backend.line;
        let Some(url) = &backend.url else {
            let note =
                format!("line {line}: not taken over: a backend whose \"url\" is no plain URL");
            self.line(&format!("\n# {note}"));
            self.notes.push(note);
            return;
        };
        let name = self.name(url);
        self.line(&format!("\n[[pools.backends]]\nname = {}", quoted(&name)));
        self.line(&format!("url = {}", quoted(url)));
        match backend.priority {
            Some(priority) => self.line(&format!("priority = {priority}")),
            None => {
                let what = "has no plain \"priority\", so it has that of the default, 1";
                self.note(line, &name, what);
            }
        }
        if let Some(weight) = backend.weight {
            self.line(&format!("weight = {weight}"));
        }
        if let Some(kind) = backend.kind {
            self.line(&format!("kind = {}", quoted(kind.as_str())));
        }
        if let Some(deployment) = &backend.deployment {
            self.line(&format!("deployment = {}", quoted(deployment)));
        }
        self.credential(backend, &name);
        for unknown in &backend.unknown {
            self.note(line, &name, &format!("not taken over: \"{unknown}\""));
        }
    }

    fn credential(&mut self, backend: &ImportedBackend, name: &str) {
        let variable = match (backend.auth, self.auth) {
            (Some(BackendAuth::Entra), _) | (None, PolicyAuth::ManagedIdentity) => {
                return self.line("credential = \"entra\"");
            }
            (Some(BackendAuth::Passthrough), _) | (None, PolicyAuth::None) => {
                return self.line("credential = \"passthrough\"");
            }
            (None, PolicyAuth::Key) => "BACKENDS_KEY".to_owned(),
            (Some(BackendAuth::Key | BackendAuth::Bearer), _) => {
                let upper = name.to_ascii_uppercase();
                let upper = upper.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                format!("KEY_OF_{upper}")
            }
        };
        let form = match backend.auth {
            Some(BackendAuth::Bearer) => "bearer",
            _ => "api_key",
        };
        self.line(&format!(
            "credential = {{ {form} = {{ env = \"{variable}\" }} }}"
        ));
        let what = format!("its key is not copied: set the variable {variable} to it");
        self.note(backend.line, name, &what);
    }

    /// Returns the first part of the host, with a number if another backend has that name.
    fn name(&mut self, url: &str) -> String {
        let host = url.split("://").nth(1).unwrap_or_default();
        let end = host.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let first = &host[..end.unwrap_or(host.len())];
        let first = if first.is_empty() { "backend" } else { first };
        let numbered = (2..).map(|number| format!("{first}-{number}"));
        let mut candidates = iter::once(first.to_owned()).chain(numbered);
        let names = &mut self.names;
        let is_taken = |name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let name = candidates.find(|name| !is_taken(name)).unwrap_or_default();
        names.push(name.clone());
        name
    }

    fn note(&mut self, line: usize, name: &str, what: &str) {
        self.line(&format!("# {what}"));
        self.notes.push(format!("line {line}: {name}: {what}"));
    }

    fn line(&mut self, line: &str) {
        self.toml += line;
        self.toml.push('\n');
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

const HEAD: &str = "\
# Made by `spillover import` from a policy of API Management.
#
# Clients ask for the same paths as they asked the backends for, such as /openai/deployments/..., without the suffix of
# the API. Subscriptions are no part of a policy: without [[clients.keys]] everybody may come in.

";
