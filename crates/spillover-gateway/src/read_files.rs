//! What files held when they were read.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Files that were read, and a hash of what was in each: equal when that is, whatever their times and links say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadFiles(BTreeMap<PathBuf, Option<u64>>);

impl ReadFiles {
    /// What is in a file. It is noted, and so is that nothing can be read.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = File::open(path).and_then(|file| {
            let is_regular = file.metadata()?.is_file();
            Ok((content(file)?, is_regular))
        });
        let noted = match &content {
            Ok((content, true)) => Some(hash(content)),
            _ => None,
        };
        // If it is read twice, and was another in between, it has to be read again.
        self.0.entry(path.to_owned()).or_insert(noted);
        let (content, _) = content?;
        if content.len() as u64 > MOST_BYTES {
            return Err(too_long());
        }
        Ok(content)
    }

    /// The same files, as they are now.
    pub(crate) fn now(&self) -> Self {
        Self(self.paths().map(|path| (path.into(), look(path))).collect())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a file is not taken.
pub(crate) fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is too long")
}

/// Pipes are read once: a second time there would be nothing in them, or nobody who writes.
fn look(path: &Path) -> Option<u64> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    Some(hash(&content(File::open(path).ok()?).ok()?))
}

fn content(file: File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Under a key of this process: of secrets, nothing is kept that would help to guess them.
fn hash(content: &[u8]) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(content)
}

/// More than any configuration, certificate or secret has.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
