use std::{
    io,
    path::{self, PathBuf},
};

use super::Check;
use spillover_proxy::upstream::Authorities;

use crate::{
    config::file::Path,
    read_files::{ReadFiles, too_long},
};

impl Check<'_> {
    /// Returns the path of a file that is read later. The file must exist.
    pub(super) fn readable(&mut self, path: &Path, file: &path::Path) -> PathBuf {
        self.read(path, file, ReadFiles::read);
        self.origin.resolve(file)
    }

    /// Reads a file of CA certificates.
    pub(super) fn authorities(&mut self, path: &Path, file: &path::Path) -> Option<Authorities> {
        let pem = self.read(path, file, ReadFiles::read)?;
        Some(Authorities {
            file: self.origin.resolve(file),
            pem: pem.into(),
        })
    }

    /// Reads a file, or reports the reason that it cannot be read.
    pub(super) fn read<T>(
        &mut self,
        path: &Path,
        file: &path::Path,
        read: impl FnOnce(&mut ReadFiles, &path::Path) -> io::Result<T>,
    ) -> Option<T> {
        let content = read(self.files, &self.origin.resolve(file));
        content
            .map_err(|error| self.problem(path, format!("{} cannot be read: {error}", name(file))))
            .ok()
    }
}

/// Returns the name of a file for a message. A text that does not look like a path may be a secret in the wrong place.
fn name(file: &path::Path) -> String {
    if file.is_absolute() || file.starts_with(".") || file.starts_with("..") {
        return file.display().to_string();
    }
    "the file".to_owned()
}

/// Reads a text file of at most `most` bytes.
pub(in crate::config) fn read_text(
    files: &mut ReadFiles,
    path: &path::Path,
    most: usize,
) -> io::Result<String> {
    let text = files.read(path)?;
    if text.len() > most {
        return Err(too_long());
    }
    String::from_utf8(text).map_err(|_| {
        let reason = "stream did not contain valid UTF-8";
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}
