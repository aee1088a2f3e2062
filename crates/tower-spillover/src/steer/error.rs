use std::{error, fmt};

/// The request names no backend of this pool: there is no `PrioritySelect` above, or it has another pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotSelected;

impl fmt::Display for NotSelected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no backend of this pool was selected for the request")
    }
}

impl error::Error for NotSelected {}
