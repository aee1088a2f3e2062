use std::{error, fmt};

/// The reason why a [`Backend`](crate::Backend) could not be built.
///
/// Names the field and the values that it takes. The error never holds the refused value: that may be a secret put in the
/// wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBackend {
    label: Box<str>,
    field: &'static str,
    expected: &'static str,
}

impl InvalidBackend {
    pub(crate) fn new(label: &str, field: &'static str, expected: &'static str) -> Self {
        Self {
            label: label.into(),
            field,
            expected,
        }
    }

    /// Returns the label of the refused backend.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the name of the refused field: `label`, `url`, `weight`, `credential` or `deployment`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// Returns a description of the values that the field takes.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for InvalidBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            label,
            field,
            expected,
        } = self;
        write!(f, "backend `{label}`: {field}: expected {expected}")
    }
}

impl error::Error for InvalidBackend {}

/// The reason why a [`Pool`](crate::Pool) could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPool {
    /// There is no backend.
    Empty,
    /// There are more backends than [`Pool::MAX_BACKENDS`](crate::Pool::MAX_BACKENDS).
    TooMany,
    /// Two backends have this label.
    DuplicateLabel(Box<str>),
}

impl fmt::Display for InvalidPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a pool needs at least one backend"),
            Self::TooMany => write!(
                f,
                "a pool holds at most {} backends",
                crate::Pool::MAX_BACKENDS
            ),
            Self::DuplicateLabel(label) => write!(f, "two backends have the label `{label}`"),
        }
    }
}

impl error::Error for InvalidPool {}
