//! Reads the configuration file, and keeps the place of each setting in it.

mod origin;
mod read;
mod schema;

use std::path::PathBuf;

pub(crate) use self::schema::schema;
pub(super) use self::{origin::Origin, read::Path};
use super::{
    Problem,
    error::Problems,
    table::{Document, read_text},
};
use crate::read_files::ReadFiles;

/// A file that could be read, at least in part.
pub(super) struct File {
    pub(super) document: Document,
    pub(super) origin: Origin,
}

impl File {
    /// Reads the file at `path`, which `place` names: a flag or a variable. `None` if nothing of it can be read.
    pub(super) fn read(
        path: PathBuf,
        place: &str,
        files: &mut ReadFiles,
        problems: &mut Problems,
    ) -> Option<Self> {
        let text = match read_text(&path, MOST_BYTES, files) {
            Ok(text) => text,
            Err(reason) => {
                let message = format!("the file cannot be read: {reason}");
                problems.add(Problem::new(place, message));
                return None;
            }
        };
        let name = path.display().to_string();
        let lines = read::Lines::of(&text);
        let tree = match read::parse(&text) {
            Ok(tree) => tree,
            Err(broken) => {
                problems.extend(broken.into_iter().map(|broken| {
                    let place = format!("{name}:{}", lines.at(broken.at));
                    Problem::new(place, format!("no TOML: {}", broken.message))
                }));
                return None;
            }
        };
        let read = read::read::<Document>(tree.clone());
        let origin = Origin::of_file(path, tree, lines, &read.mistakes);
        for (path, message) in read.mistakes {
            problems.add(Problem::new(origin.place(&path), message));
        }
        read.is_in_order.then_some(Self {
            document: read.value,
            origin,
        })
    }
}

/// More than any configuration has.
const MOST_BYTES: usize = 8 * 1024 * 1024;
