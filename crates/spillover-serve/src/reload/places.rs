use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{self, Component, Path, PathBuf},
};

/// Directories to watch for changes of files.
///
/// Includes the directory of each symbolic link on the path. For example, Kubernetes updates a mounted file by replacing
/// the link `..data` above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Directories to watch.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Paths in these directories whose events count: files, links and missing files.
    pub(super) entries: BTreeSet<PathBuf>,
}

impl Places {
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mut places = Self::default();
        for file in files {
            // Fails only if the working directory is gone.
            let _ = path::absolute(file).map(|file| places.add(&file));
        }
        places
    }

    fn add(&mut self, file: &Path) {
        // The remaining names of the path, last one first.
        let mut ahead = names(file);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            let entry = at.join(&name);
            match link(&entry) {
                Ok(Some(target)) if links < MOST_LINKS => {
                    links += 1;
                    self.note(&at, entry);
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    ahead.extend(names(&target));
                }
                Ok(None) if !ahead.is_empty() => at = entry,
                // The file itself, or the first missing part of its path.
                _ => return self.note(&at, entry),
            }
        }
    }

    fn note(&mut self, directory: &Path, entry: PathBuf) {
        self.directories.insert(directory.into());
        self.entries.insert(entry);
    }
}

/// Returns the target of a symbolic link, or `None` for anything else.
fn link(entry: &Path) -> io::Result<Option<PathBuf>> {
    let is_link = fs::symlink_metadata(entry)?.is_symlink();
    is_link.then(|| fs::read_link(entry)).transpose()
}

fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.into()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// Greatest number of links to follow, as in Linux (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;
