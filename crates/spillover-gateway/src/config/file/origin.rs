use std::path::{self, PathBuf};

use super::read::{Lines, Node, Path};

/// Where settings come from: a file, or the environment; and what overrides them there.
#[derive(Default)]
pub(in crate::config) struct Origin {
    file: Option<FileOrigin>,
    /// What is set elsewhere: by a flag or a variable.
    overridden: Vec<(Path, String)>,
    /// What was found wrong already: that it is missing is no news.
    wrong: Vec<Path>,
}

struct FileOrigin {
    path: PathBuf,
    tree: Node,
    lines: Lines,
}

impl Origin {
    pub(super) fn of_file(
        path: PathBuf,
        tree: Node,
        lines: Lines,
        mistakes: &[(Path, String)],
    ) -> Self {
        Self {
            file: Some(FileOrigin { path, tree, lines }),
            overridden: Vec::new(),
            wrong: mistakes.iter().map(|(path, _)| path.clone()).collect(),
        }
    }

    /// The file, if it is one.
    pub(in crate::config) fn path(&self) -> Option<&path::Path> {
        self.file.as_ref().map(|file| &*file.path)
    }

    /// Notes that something is set at another place.
    pub(in crate::config) fn override_by(&mut self, path: Path, place: impl Into<String>) {
        self.overridden.push((path, place.into()));
    }

    /// Notes that something is known to be wrong.
    pub(in crate::config) fn mark_wrong(&mut self, path: Path) {
        self.wrong.push(path);
    }

    /// Whether this, or what it stands in, or something in it is known to be wrong.
    pub(in crate::config) fn is_wrong(&self, path: &Path) -> bool {
        let mut wrong = self.wrong.iter();
        wrong.any(|wrong| path.is_under(wrong) || wrong.is_under(path))
    }

    /// Where to correct it: `spillover.toml:12: pools[0].backends[1].url`, or the flag or variable.
    pub(in crate::config) fn place(&self, path: &Path) -> String {
        let overridden = self.overridden.iter().find(|(other, _)| other == path);
        if let Some((_, place)) = overridden {
            return place.clone();
        }
        let Some(FileOrigin {
            path: name,
            tree,
            lines,
        }) = &self.file
        else {
            return path.to_string();
        };
        let line = lines.at(tree.locate(path.segments()));
        let name = name.display();
        if path.segments().is_empty() {
            return format!("{name}:{line}");
        }
        format!("{name}:{line}: {path}")
    }

    /// A path in the file counts from where the file is.
    pub(in crate::config) fn resolve(&self, path: &path::Path) -> PathBuf {
        let directory = self.path().and_then(path::Path::parent);
        directory.map_or_else(|| path.to_owned(), |directory| directory.join(path))
    }
}
