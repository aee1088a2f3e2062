//! From the text of the file to its tables. All mistakes are found, not only the first, and no value gets into a message.

mod deserializer;
mod mistake;
mod node;
mod path;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use self::mistake::Mistake;
pub(crate) use self::{node::Node, path::Path};

/// A text that is TOML: its tables, with the place of each value.
pub(crate) fn parse(text: &str) -> Result<Node, Vec<Broken>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node::from(table));
    }
    Err(errors.iter().map(Broken::from).collect())
}

/// Where a text is no TOML, and why.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl From<&toml::de::Error> for Broken {
    fn from(error: &toml::de::Error) -> Self {
        Self {
            at: error.span().map_or(0, |span| span.start),
            // The message alone: printed, the error would show the line.
            message: error.message().to_owned(),
        }
    }
}

/// Where the lines of a text begin.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self {
            ends: text.match_indices('\n').map(|(at, _)| at).collect(),
        }
    }

    /// The number of the line that has this byte; the first is 1.
    pub(crate) fn at(&self, byte: usize) -> usize {
        self.ends.partition_point(|&end| end < byte) + 1
    }
}

/// What could be read.
pub(crate) struct Readable<T> {
    pub(crate) value: T,
    /// The mistakes, by their places.
    pub(crate) mistakes: Vec<(Path, String)>,
    /// Whether the elements of every list have the numbers that they have in the file.
    pub(crate) is_in_order: bool,
}

/// Reads what can be read. Each mistake is noted and taken out of the tree, until nothing is wrong with what is left.
pub(crate) fn read<T: Default + DeserializeOwned>(mut tree: Node) -> Readable<T> {
    let mut mistakes = Vec::new();
    while mistakes.len() < MOST {
        match T::deserialize(&tree) {
            Ok(value) => {
                return Readable {
                    value,
                    mistakes,
                    is_in_order: !tree.has_gaps(),
                };
            }
            Err(Mistake { path, message }) => {
                tree.take_out(path.segments());
                mistakes.push((path, message.into_owned()));
            }
        }
    }
    Readable {
        value: T::default(),
        mistakes,
        is_in_order: false,
    }
}

/// Whoever has more mistakes than this has given something else than a configuration.
const MOST: usize = 100;
