use std::{error::Error, fmt};

/// The error of a [`ScriptedBody`](super::ScriptedBody) whose script has one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScriptedError {
    message: String,
}

impl ScriptedError {
    pub(super) fn new(message: String) -> Self {
        Self { message }
    }
}

impl fmt::Display for ScriptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ScriptedError {}
