//! Reads the configuration file. All mistakes are found, not only the first, and no value gets into a message.

mod deserializer;
mod mistake;
mod origin;
mod schema;

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) use self::origin::Origin;
use self::{
    deserializer::Value,
    mistake::{Mistake, Segment},
    origin::Lines,
};
pub(crate) use self::{mistake::Path, schema::schema};
use super::{
    Problem,
    error::Problems,
    table::{Document, read_text},
};
use crate::read_files::ReadFiles;

/// Reads the file at `path`, which `place` names: a flag or a variable. Returns `None` if nothing of it can be used.
pub(super) fn read(
    path: PathBuf,
    place: &str,
    files: &mut ReadFiles,
    problems: &mut Problems,
) -> Option<(Document, Origin)> {
    let text = match read_text(files, &path, MOST_BYTES) {
        Ok(text) => text,
        Err(reason) => {
            let message = format!("the file cannot be read: {reason}");
            problems.add(Problem::new(place, message));
            return None;
        }
    };
    let lines = Lines::new(&text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in &errors {
        let line = lines.at(error.span().map_or(0, |span| span.start));
        // The message alone: printed, the error would show the line.
        let message = format!("no TOML: {}", error.message());
        problems.add(Problem::new(format!("{}:{line}", path.display()), message));
    }
    if !errors.is_empty() {
        return None;
    }
    let mut tree = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    let mut origin = Origin::of_file(path, &tree, &lines);
    let (document, mistakes, is_in_order) = deserialize(&mut tree);
    for (path, message) in mistakes {
        problems.add(Problem::new(origin.place(&path), message));
        origin.mark_wrong(path);
    }
    is_in_order.then_some((document, origin))
}

/// Deserializes as much as can be read. Each mistake is taken out of the tree, until the rest has none.
///
/// Returns the value, the mistakes, and whether the elements of lists still have the numbers that they have in the file.
fn deserialize<T: Default + DeserializeOwned>(
    tree: &mut Spanned<DeValue<'_>>,
) -> (T, Vec<(Path, String)>, bool) {
    let mut mistakes = Vec::new();
    let mut is_in_order = true;
    while mistakes.len() < MOST_MISTAKES {
        match T::deserialize(Value(tree.get_ref())) {
            Ok(value) => return (value, mistakes, is_in_order),
            Err(Mistake { path, message }) => {
                take_out(tree, path.segments(), &mut is_in_order);
                mistakes.push((path, message));
            }
        }
    }
    (T::default(), mistakes, false)
}

/// Takes out the value at this path, and the tables that it leaves empty; or, if there is none, the value that should have
/// it. Returns true if nothing is left of the tree.
fn take_out(tree: &mut Spanned<DeValue<'_>>, path: &[Segment], is_in_order: &mut bool) -> bool {
    match (tree.get_mut(), path) {
        (DeValue::Table(table), [Segment::Key(key), rest @ ..]) => {
            let Some(value) = table.get_mut(key.as_str()) else {
                return true;
            };
            if take_out(value, rest, is_in_order) {
                table.remove(key.as_str());
            }
            table.is_empty()
        }
        (DeValue::Array(list), [Segment::Index(index), rest @ ..]) => {
            let Some(element) = list.get_mut(*index) else {
                return true;
            };
            if take_out(element, rest, is_in_order) {
                *element = Spanned::new(TAKEN_OUT..TAKEN_OUT, DeValue::Boolean(false));
                *is_in_order = false;
            }
            false
        }
        _ => true,
    }
}

fn is_taken_out(element: &Spanned<DeValue<'_>>) -> bool {
    element.span().start == TAKEN_OUT
}

/// The place of an element that was taken out of its list. No value of a file is there.
const TAKEN_OUT: usize = usize::MAX;

/// More bytes than any configuration has.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A file with more mistakes is something else than a configuration.
const MOST_MISTAKES: usize = 100;
