use std::sync::Arc;

use crate::Class;

/// Why a backend is closed: the class of the refusal, and what the backend said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    class: Class,
    message: Option<Arc<str>>,
}

impl Cause {
    pub(crate) fn new(class: Class, message: Option<Arc<str>>) -> Self {
        Self { class, message }
    }

    /// The class of the refusal.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The backend's own words, where they are known.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}
