use std::{
    fs::File,
    path::{self, PathBuf},
};

use super::Check;
use crate::config::file::Path;

impl Check<'_> {
    /// A file that somebody will read: it must be there.
    pub(super) fn readable(&mut self, path: &Path, file: &path::Path) -> PathBuf {
        let resolved = self.origin.resolve(file);
        if let Err(error) = File::open(&resolved) {
            self.problem(path, format!("{} cannot be read: {error}", name(file)));
        }
        self.files.push(resolved.clone());
        resolved
    }
}

/// How a message calls a file. What does not look like a path may be a secret in the place of one.
pub(super) fn name(file: &path::Path) -> String {
    if file.is_absolute() || file.starts_with(".") || file.starts_with("..") {
        return file.display().to_string();
    }
    "the file".to_owned()
}
