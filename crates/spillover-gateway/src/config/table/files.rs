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

/// The text of a file that is not longer than this many bytes.
pub(in crate::config) fn read_text(
    path: &path::Path,
    most: usize,
    files: &mut ReadFiles,
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
