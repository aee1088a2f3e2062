//! From the tables of the document to the checked configuration. Everything that is wrong becomes a problem at its place.

mod affinity;
mod backends;
mod clients;
mod connections;
mod credential;
mod files;
mod headers;
mod listeners;
mod numbers;
mod pools;
mod routes;
mod secrets;
mod statuses;

use std::borrow::Cow;

use super::{
    Config, Problem,
    error::Problems,
    file::{Document, Origin, Path},
    variables::Variables,
};
use crate::read_files::ReadFiles;

/// Checks a document.
pub(super) struct Check<'a> {
    origin: &'a Origin,
    variables: &'a Variables,
    problems: &'a mut Problems,
    warnings: Vec<Problem>,
    /// Every file that was read or will be.
    files: &'a mut ReadFiles,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        origin: &'a Origin,
        variables: &'a Variables,
        files: &'a mut ReadFiles,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            files,
            origin,
            variables,
            problems,
            warnings: Vec::new(),
        }
    }

    /// The configuration that the document describes. It is of use if there are no problems.
    pub(super) fn document(mut self, document: &Document, ignored: Vec<String>) -> Config {
        let root = Path::default();
        let listeners = self.listeners(&root.key("listeners"), &document.listeners);
        let admin = document
            .admin
            .as_ref()
            .and_then(|admin| self.admin(&root.key("admin"), admin, &listeners));
        Config {
            log_format: document.log_format,
            admin,
            listeners,
            connections: self.connections(&root.key("connections"), &document.connections),
            shutdown: self.shutdown(&root.key("shutdown"), &document.shutdown),
            clients: self.clients(&root.key("clients"), &document.clients, &document.pools),
            pools: self.pools(&root.key("pools"), &document.pools),
            has_file: self.origin.path().is_some(),
            ignored,
            warnings: self.warnings,
        }
    }

    fn problem(&mut self, path: &Path, message: impl Into<Cow<'static, str>>) {
        let place = self.origin.place(path);
        self.problems.add(Problem::new(place, message));
    }

    fn warning(&mut self, path: &Path, message: impl Into<Cow<'static, str>>) {
        let place = self.origin.place(path);
        self.warnings.push(Problem::new(place, message));
    }

    fn expected(&mut self, path: &Path, expected: &'static str) {
        self.problem(path, format!("expected {expected}"));
    }

    /// Takes the value, or notes what was expected.
    fn keep<T>(&mut self, path: &Path, result: Result<T, &'static str>) -> Option<T> {
        result
            .map_err(|expected| self.expected(path, expected))
            .ok()
    }

    /// What must be set, or a note that it is not.
    fn required<'v, T>(
        &mut self,
        path: &Path,
        value: &'v Option<T>,
        expected: &'static str,
    ) -> Option<&'v T> {
        if value.is_none() && !self.origin.is_wrong(path) {
            self.problem(path, format!("not set; expected {expected}"));
        }
        value.as_ref()
    }
}
