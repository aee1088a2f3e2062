use std::path::{self, PathBuf};

use super::Check;
use crate::{config::file::Path, site::Authorities};

impl Check<'_> {
    /// A file that somebody will read: it must be there.
    pub(super) fn readable(&mut self, path: &Path, file: &path::Path) -> PathBuf {
        self.content(path, file);
        self.origin.resolve(file)
    }

    /// The certificates in a file.
    pub(super) fn authorities(&mut self, path: &Path, file: &path::Path) -> Option<Authorities> {
        let pem = self.content(path, file)?;
        Some(Authorities {
            file: self.origin.resolve(file),
            pem: pem.into(),
        })
    }

    fn content(&mut self, path: &Path, file: &path::Path) -> Option<Vec<u8>> {
        match self.files.read(&self.origin.resolve(file)) {
            Ok(content) => Some(content),
            Err(error) => {
                self.problem(path, format!("{} cannot be read: {error}", name(file)));
                None
            }
        }
    }
}

/// How a message calls a file. What does not look like a path may be a secret in the place of one.
pub(super) fn name(file: &path::Path) -> String {
    if file.is_absolute() || file.starts_with(".") || file.starts_with("..") {
        return file.display().to_string();
    }
    "the file".to_owned()
}
