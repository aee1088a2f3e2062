use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Paths of files that were read, each with a hash of its contents. Two values are equal when paths and contents are;
/// modification times and links do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadFiles(BTreeMap<PathBuf, Option<u64>>);

impl ReadFiles {
    /// Reads a file, and records its hash. A file that cannot be read is recorded as such.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or has more than 8 MiB.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = File::open(path).and_then(|file| {
            let is_regular = file.metadata()?.is_file();
            Ok((content(file)?, is_regular))
        });
        let noted = match &content {
            Ok((content, true)) => Some(hash(content)),
            _ => None,
        };
        // Keeps the first hash. A file that changes between two reads then differs from the record and is read again.
        self.0.entry(path.to_owned()).or_insert(noted);
        let (content, _) = content?;
        if content.len() as u64 > MOST_BYTES {
            return Err(too_long());
        }
        Ok(content)
    }

    /// Returns the same paths with the contents of now.
    #[must_use]
    pub fn now(&self) -> Self {
        Self(
            self.paths()
                .map(|path| (path.into(), hash_file(path)))
                .collect(),
        )
    }

    /// Returns the paths of the files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> + Clone {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Returns true if no file was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the error for a file of more than 8 MiB.
#[must_use]
pub fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is too long")
}

/// Hashes a regular file. A pipe is not read a second time: it would be empty, or have no writer.
fn hash_file(path: &Path) -> Option<u64> {
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

/// Hashes with a random key of this process, so that the hash of a secret does not help to guess it.
fn hash(content: &[u8]) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(content)
}

/// Greatest size of a file, in bytes. Configurations, certificates and secrets are smaller.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
