use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::path::Segment;

/// A value of the document, and where it is.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    Float(f64),
    Truth(bool),
    /// Of which no setting is one: dates, and numbers that are too large.
    Other,
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Something was wrong with it.
    TakenOut,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: usize,
    pub(super) value: Node,
}

impl Node {
    /// Where this is, or the innermost of what is around it.
    pub(crate) fn locate(&self, path: &[Segment]) -> usize {
        let Some((first, rest)) = path.split_first() else {
            return self.at;
        };
        match (&self.kind, first) {
            (Kind::List(list), Segment::Index(index)) => {
                list.get(*index).map_or(self.at, |node| node.locate(rest))
            }
            (Kind::Table(entries), Segment::Key(key)) => {
                match entries.iter().find(|entry| entry.key == *key) {
                    Some(entry) if rest.is_empty() => entry.key_at,
                    Some(entry) => entry.value.locate(rest),
                    None => self.at,
                }
            }
            _ => self.at,
        }
    }

    /// Whether something was wrong with all that is here.
    pub(super) fn is_taken_out(&self) -> bool {
        match &self.kind {
            Kind::TakenOut => true,
            Kind::Table(entries) => {
                !entries.is_empty() && entries.iter().all(|entry| entry.value.is_taken_out())
            }
            _ => false,
        }
    }

    /// Whether an element of a list is taken out: then the others have other numbers than in the file.
    pub(super) fn has_gaps(&self) -> bool {
        match &self.kind {
            Kind::List(list) => list
                .iter()
                .any(|node| node.is_taken_out() || node.has_gaps()),
            Kind::Table(entries) => entries.iter().any(|entry| entry.value.has_gaps()),
            _ => false,
        }
    }

    /// Takes out what is there; if nothing is there, what is around it.
    pub(super) fn take_out(&mut self, path: &[Segment]) {
        let inner = match (&mut self.kind, path.split_first()) {
            (Kind::List(list), Some((Segment::Index(index), rest))) => {
                list.get_mut(*index).map(|node| (node, rest))
            }
            (Kind::Table(entries), Some((Segment::Key(key), rest))) => entries
                .iter_mut()
                .find(|entry| entry.key == *key)
                .map(|entry| (&mut entry.value, rest)),
            _ => None,
        };
        match inner {
            Some((node, rest)) => node.take_out(rest),
            None => self.kind = Kind::TakenOut,
        }
    }
}

impl From<Spanned<DeTable<'_>>> for Node {
    fn from(table: Spanned<DeTable<'_>>) -> Self {
        let at = table.span().start;
        Self {
            at,
            kind: Kind::from(DeValue::Table(table.into_inner())),
        }
    }
}

impl From<Spanned<DeValue<'_>>> for Node {
    fn from(value: Spanned<DeValue<'_>>) -> Self {
        let at = value.span().start;
        Self {
            at,
            kind: Kind::from(value.into_inner()),
        }
    }
}

impl From<DeValue<'_>> for Kind {
    fn from(value: DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.into_owned()),
            DeValue::Integer(digits) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix());
                number.map_or(Self::Other, Self::Integer)
            }
            DeValue::Float(digits) => digits.as_str().parse().map_or(Self::Other, Self::Float),
            DeValue::Boolean(truth) => Self::Truth(truth),
            DeValue::Datetime(_) => Self::Other,
            DeValue::Array(list) => Self::List(list.into_iter().map(Node::from).collect()),
            DeValue::Table(table) => Self::Table(
                table
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key_at: key.span().start,
                        key: key.into_inner().into_owned(),
                        value: value.into(),
                    })
                    .collect(),
            ),
        }
    }
}
