use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

/// Error of a TLS file. Never quotes the contents of the file.
#[derive(Debug)]
pub struct TlsError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unreadable {
        file: PathBuf,
        error: io::Error,
    },
    Unexpected {
        file: PathBuf,
        expected: &'static str,
    },
    Setup,
}

impl TlsError {
    pub(super) fn new(file: &Path, expected: &'static str) -> Self {
        let file = file.to_owned();
        Self {
            kind: Kind::Unexpected { file, expected },
        }
    }

    pub(super) fn unreadable(file: &Path, error: io::Error) -> Self {
        let file = file.to_owned();
        Self {
            kind: Kind::Unreadable { file, error },
        }
    }

    /// Creates the error for a crypto provider that cannot be set up.
    pub(super) fn setup() -> Self {
        Self { kind: Kind::Setup }
    }

    /// Returns the file that is not as expected, if the error is about one.
    pub fn file(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Unreadable { file, .. } | Kind::Unexpected { file, .. } => Some(file),
            Kind::Setup => None,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unreadable { file, error } => {
                write!(f, "cannot read {}: {error}", file.display())
            }
            Kind::Unexpected { file, expected } => {
                write!(f, "{}: expected {expected}", file.display())
            }
            Kind::Setup => f.write_str("TLS cannot be set up"),
        }
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Unreadable { error, .. } => Some(error),
            Kind::Unexpected { .. } | Kind::Setup => None,
        }
    }
}
