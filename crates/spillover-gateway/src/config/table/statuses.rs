use std::collections::BTreeMap;

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Class, StatusClassifier};

use super::Check;
use crate::config::file::Path;

/// What an answer means for the backend that gave it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Class")]
pub(crate) enum ClassWord {
    /// The request was served.
    Success,
    /// The backend is at a rate limit: the request moves on, the backend is closed for a while.
    Throttled,
    /// A quota of a day or a month is used up: the same, for longer.
    Quota,
    /// Larger than this backend takes: the request moves on, the backend stays open.
    #[serde(alias = "too_large")]
    TooLarge,
    /// Not taken for some other reason: the request moves on, the backend stays open.
    Declined,
    /// No capacity for anybody: the request moves on, the backend is closed for a while.
    Capacity,
    /// The backend does not work: the request moves on, the backend is closed, and probed later.
    Failing,
    /// The backend refused its own credential: the request moves on, the backend is closed for a while.
    Credential,
    /// The request is at fault: the client gets the answer.
    #[serde(alias = "client_error")]
    ClientError,
}

impl From<ClassWord> for Class {
    fn from(word: ClassWord) -> Self {
        match word {
            ClassWord::Success => Self::Success,
            ClassWord::Throttled => Self::Throttled,
            ClassWord::Quota => Self::Quota,
            ClassWord::TooLarge => Self::TooLarge,
            ClassWord::Declined => Self::Declined,
            ClassWord::Capacity => Self::Capacity,
            ClassWord::Failing => Self::Failing,
            ClassWord::Credential => Self::Credential,
            ClassWord::ClientError => Self::ClientError,
        }
    }
}

impl Check<'_> {
    pub(super) fn statuses(
        &mut self,
        path: &Path,
        statuses: &BTreeMap<String, ClassWord>,
    ) -> StatusClassifier {
        let mut classifier = StatusClassifier::new();
        for (digits, class) in statuses {
            let status = status(digits).ok_or("a status from 200 to 599 in the place of the key");
            if let Some(status) = self.keep(&path.key(digits), status) {
                classifier = classifier.with_status(status, (*class).into());
            }
        }
        classifier
    }
}

fn status(digits: &str) -> Option<StatusCode> {
    if digits.len() != 3 {
        return None;
    }
    let status: u16 = digits.parse().ok()?;
    (200..=599)
        .contains(&status)
        .then(|| StatusCode::from_u16(status).ok())?
}
