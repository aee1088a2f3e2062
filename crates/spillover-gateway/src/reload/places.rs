use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{self, Component, Path, PathBuf},
};

/// Where files can be seen to change.
///
/// What is at a path is another when a link on the way to it is, as Kubernetes exchanges `..data`. So it is not the
/// directory of the file alone that tells, but also that of each link.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// To be watched.
    pub(super) directories: BTreeSet<PathBuf>,
    /// What matters in them: the files, the links, and what is missing.
    pub(super) entries: BTreeSet<PathBuf>,
}

impl Places {
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mut places = Self::default();
        for file in files {
            // It fails without a working directory only.
            let _ = path::absolute(file).map(|file| places.add(&file));
        }
        places
    }

    fn add(&mut self, file: &Path) {
        // In the order of the path from its end.
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
                // The file, or what is in the way to it.
                _ => return self.note(&at, entry),
            }
        }
    }

    fn note(&mut self, directory: &Path, entry: PathBuf) {
        self.directories.insert(directory.into());
        self.entries.insert(entry);
    }
}

/// The target, if it is a link.
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

/// As many as Linux follows (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;
