use std::path;

use super::{Check, files};
use crate::config::file::{Path, Secret, read_text};

impl Check<'_> {
    /// The text of a secret, from wherever it is.
    pub(super) fn secret(&mut self, path: &Path, secret: &Secret) -> Option<String> {
        match secret {
            Secret::Inline(text) => Some(text.clone()),
            Secret::Env(name) => self.secret_of_variable(&path.key("env"), name),
            Secret::File(file) => self.secret_of_file(&path.key("file"), file),
        }
    }

    fn secret_of_variable(&mut self, path: &Path, name: &str) -> Option<String> {
        // Whatever looks otherwise may be the secret itself.
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !is_name {
            self.expected(
                path,
                "the name of a variable, of capital letters, digits and `_`",
            );
            return None;
        }
        let setting = match self.variables.named(name) {
            Ok(Some(setting)) => setting,
            Ok(None) => {
                self.problem(path, format!("the variable {name} is not set"));
                return None;
            }
            Err(problem) => {
                self.problems.add(problem);
                return None;
            }
        };
        match setting.read(|text| Ok(text.to_owned())) {
            Ok(text) => Some(text),
            Err(problem) => {
                self.problems.add(problem);
                None
            }
        }
    }

    fn secret_of_file(&mut self, path: &Path, file: &path::Path) -> Option<String> {
        let name = files::name(file);
        let file = self.origin.resolve(file);
        match read_text(&file, MOST_BYTES, self.files) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.problem(path, format!("{name} cannot be read: {error}"));
                None
            }
        }
    }
}

/// Tokens are long, but not that long.
const MOST_BYTES: usize = 64 * 1024;
