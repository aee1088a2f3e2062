use std::collections::BTreeMap;

use spillover_core::BackendKind;

use super::key::{Auth, Key};
use spillover_proxy::upstream::Protocol;

use crate::config::{
    Problem,
    error::Problems,
    table::{BackendTable, CredentialTable},
    url::Operation,
    value::KindWord,
    values,
    variables::Setting,
};

/// Settings of one label, not yet checked.
#[derive(Default)]
pub(super) struct Draft {
    /// The label as the URL spells it; without a URL, as it was first seen.
    label: String,
    /// Missing settings are asked for as variables if a variable has this label, or else as flags.
    pub(super) has_variables: bool,
    settings: BTreeMap<Key, Setting>,
}

impl Draft {
    pub(super) fn add(&mut self, label: &str, key: Key, setting: Setting) {
        if key == Key::Url || self.label.is_empty() {
            label.clone_into(&mut self.label);
        }
        self.settings.insert(key, setting);
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.settings.contains_key(&key)
    }

    /// Builds the backend. Returns it with the place of its URL.
    pub(super) fn build(&self, problems: &mut Problems) -> Option<(BackendTable, String)> {
        let label = problems.keep(self.label());
        let url = problems.keep(self.url());
        let kind = problems.keep(self.optional(Key::Kind, values::kind));
        let priority = problems.keep(self.required(Key::Priority, values::priority));
        let kind_or_default = kind.or_else(|| values::kind_of_url(url.as_deref()?));
        let credential = problems.keep(self.credential(kind_or_default));
        let deployment = problems.keep(self.optional(Key::DeploymentName, values::deployment));
        let protocol = problems.keep(self.optional(Key::Protocol, Protocol::parse));
        let table = BackendTable {
            name: Some(label?),
            url: Some(url?),
            kind,
            priority: priority?,
            credential: Some(credential?),
            deployment,
            protocol: protocol.unwrap_or_default(),
            ..BackendTable::default()
        };
        Some((table, self.place(Key::Url)))
    }

    fn label(&self) -> Result<Option<String>, Problem> {
        values::label(&self.label).map(Some).map_err(|expected| {
            let message = format!("the label: expected {expected}");
            Problem::new(self.place(Key::Url), message)
        })
    }

    fn url(&self) -> Result<Option<String>, Problem> {
        self.required(Key::Url, values::url).map_err(|problem| {
            match self.optional(Key::Url, |url| Ok(Operation::of_url(url))) {
                Ok(Some(Some(operation))) => Problem::new(self.place(Key::Url), operation.advice()),
                _ => problem,
            }
        })
    }

    fn credential(&self, kind: Option<KindWord>) -> Result<Option<CredentialTable>, Problem> {
        let has_key = self.has(Key::Apikey);
        let auth = self.optional(Key::Auth, Auth::parse)?;
        let kind = kind.map_or(BackendKind::Other, Into::into);
        let auth = auth.unwrap_or_else(|| Auth::default_with(has_key, kind));
        let message = match (auth, has_key) {
            (Auth::Key, true) => return self.optional(Key::Apikey, values::api_key),
            (Auth::Bearer, true) => return self.optional(Key::Apikey, values::bearer),
            (Auth::Entra, false) => return Ok(Some(CredentialTable::Entra)),
            (Auth::Passthrough, false) => return Ok(Some(CredentialTable::Passthrough)),
            (Auth::Key, false) => "is key; expected the key",
            (Auth::Bearer, false) => "is bearer; expected the key",
            (_, true) => "is not key or bearer; expected one of them",
        };
        let (set, auth) = (
            if has_key { "set" } else { "not set" },
            self.place(Key::Auth),
        );
        let message = format!("{set}, but {auth} {message}");
        Err(Problem::new(self.place(Key::Apikey), message))
    }

    fn required<T>(
        &self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Problem> {
        if self.has(key) {
            return self.optional(key, parse);
        }
        // An empty value is refused with the expected text.
        let expected = parse("").err().unwrap_or("a value");
        let message = match self.settings.values().next() {
            Some(other) if key == Key::Url => {
                format!("not set, but {} is; expected {expected}", other.place())
            }
            _ => format!("not set; expected {expected}"),
        };
        Err(Problem::new(self.place(key), message))
    }

    fn optional<T>(
        &self,
        key: Key,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Problem> {
        let setting = self.settings.get(&key);
        setting.map(|setting| setting.read(parse)).transpose()
    }

    /// Returns the place where the key is set, or belongs.
    fn place(&self, key: Key) -> String {
        match self.settings.get(&key) {
            Some(setting) => setting.place().to_owned(),
            None if self.has_variables => key.variable(&self.label),
            None => key.flag(&self.label),
        }
    }
}
