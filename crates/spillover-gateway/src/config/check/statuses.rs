use std::collections::BTreeMap;

use http::StatusCode;
use spillover_core::StatusClassifier;

use super::Check;
use crate::config::file::{ClassWord, Path};

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
