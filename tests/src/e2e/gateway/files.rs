use std::{fs, path::PathBuf};

use tempfile::TempDir;

/// A directory of files for a gateway, removed when this is dropped.
#[derive(Debug)]
pub struct Files {
    directory: TempDir,
}

impl Files {
    /// The configuration.
    pub const CONFIG: &str = "spillover.toml";

    /// An empty directory.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a directory to write to"),
        }
    }

    /// Where a file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, or replaces it. A reader finds the old contents or the new ones, never a part.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let other = path.with_extension("new");
        fs::write(&other, text).expect("a file to write to");
        fs::rename(other, path).expect("a file to replace");
    }
}
