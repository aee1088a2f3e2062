use std::{error, fmt};

use tower::BoxError;

/// Why a [`ReplayBody`](super::ReplayBody) cannot go on.
#[derive(Debug)]
pub struct ReplayError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Source(BoxError),
    Superseded,
    NotRecorded,
}

impl ReplayError {
    pub(super) fn source(error: BoxError) -> Self {
        Self {
            kind: Kind::Source(error),
        }
    }

    pub(super) fn superseded() -> Self {
        Self {
            kind: Kind::Superseded,
        }
    }

    pub(super) fn not_recorded() -> Self {
        Self {
            kind: Kind::NotRecorded,
        }
    }

    /// Whether the original body failed, such as when the client went away while it sent it.
    #[must_use]
    pub fn is_source(&self) -> bool {
        matches!(self.kind, Kind::Source(_))
    }

    /// Whether a later attempt took the body over.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        matches!(self.kind, Kind::Superseded)
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Source(_) => "the request body could not be read",
            Kind::Superseded => "a later attempt took the request body over",
            Kind::NotRecorded => "the request body was not recorded and cannot be sent again",
        })
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Source(error) => Some(&**error),
            Kind::Superseded | Kind::NotRecorded => None,
        }
    }
}
