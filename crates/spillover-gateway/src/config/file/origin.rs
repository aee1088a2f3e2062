use std::{
    collections::BTreeMap,
    path::{self, PathBuf},
};

use toml::{Spanned, de::DeValue};

use super::Path;

/// Places of settings: in a file or in the environment.
#[derive(Default)]
pub(in crate::config) struct Origin {
    file: Option<PathBuf>,
    /// Lines of the file, by the settings that begin there.
    lines: BTreeMap<Path, usize>,
    /// Settings that a flag or a variable sets, with its name.
    overridden: Vec<(Path, String)>,
    /// Settings that are known to be wrong. They are not reported as missing.
    wrong: Vec<Path>,
}

impl Origin {
    pub(super) fn of_file(file: PathBuf, tree: &Spanned<DeValue<'_>>, lines: &Lines) -> Self {
        let mut origin = Self {
            file: Some(file),
            ..Self::default()
        };
        let root = Path::default();
        origin
            .lines
            .insert(root.clone(), lines.at(tree.span().start));
        origin.add_lines(&root, tree.get_ref(), lines);
        origin
    }

    fn add_lines(&mut self, path: &Path, value: &DeValue<'_>, lines: &Lines) {
        let inner: Vec<_> = match value {
            DeValue::Table(table) => {
                let entries = table.iter();
                entries
                    .map(|(key, value)| (path.key(key.get_ref()), key.span().start, value))
                    .collect()
            }
            DeValue::Array(list) => {
                let elements = list.iter().enumerate();
                elements
                    .map(|(index, value)| (path.index(index), value.span().start, value))
                    .collect()
            }
            _ => Vec::new(),
        };
        for (path, at, value) in inner {
            self.add_lines(&path, value.get_ref(), lines);
            self.lines.insert(path, lines.at(at));
        }
    }

    /// Returns the path of the file. `None`: the settings are in the environment.
    pub(in crate::config) fn path(&self) -> Option<&path::Path> {
        self.file.as_deref()
    }

    /// Records the flag or variable that sets the setting at `path`.
    pub(in crate::config) fn override_by(&mut self, path: Path, place: impl Into<String>) {
        self.overridden.push((path, place.into()));
    }

    /// Records a setting that is known to be wrong.
    pub(in crate::config) fn mark_wrong(&mut self, path: Path) {
        self.wrong.push(path);
    }

    /// Returns true if the setting, a part of it or a table around it is known to be wrong.
    pub(in crate::config) fn is_wrong(&self, path: &Path) -> bool {
        let mut wrong = self.wrong.iter();
        wrong.any(|wrong| path.is_under(wrong) || wrong.is_under(path))
    }

    /// Returns the place to correct: `spillover.toml:12: pools[0].backends[1].url`, or the flag or variable.
    pub(in crate::config) fn place(&self, path: &Path) -> String {
        let overridden = self.overridden.iter().find(|(other, _)| other == path);
        if let Some((_, place)) = overridden {
            return place.clone();
        }
        let Some(file) = &self.file else {
            return path.to_string();
        };
        let lines = path.and_outer().find_map(|path| self.lines.get(&path));
        let place = format!("{}:{}", file.display(), lines.unwrap_or(&1));
        if path.segments().is_empty() {
            return place;
        }
        format!("{place}: {path}")
    }

    /// Resolves a path in the file: it counts from the directory of the file.
    pub(in crate::config) fn resolve(&self, path: &path::Path) -> PathBuf {
        let directory = self.path().and_then(path::Path::parent);
        directory.map_or_else(|| path.to_owned(), |directory| directory.join(path))
    }
}

/// Ends of the lines of a text.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// Returns the number of the line with this byte. The first is 1.
    pub(super) fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|&end| end < byte) + 1
    }
}
