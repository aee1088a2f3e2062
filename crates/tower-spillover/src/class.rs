//! The meaning of an answer for the layers that may make another attempt.

use http::Response;
use spillover_core::{Answer, Class, Classify, Outcome};

use crate::report::report_of;

/// Returns the class of an answer, by the [`Outcome`] if a layer inside left one, and true if the answer is a refusal after which
/// another backend may be asked.
pub(crate) fn class_of<ResBody, E, C>(
    result: &Result<Response<ResBody>, E>,
    classify: &C,
) -> (Class, bool)
where
    C: Classify<E>,
{
    let response = result.as_ref().ok();
    if let Some(outcome) = response.and_then(|r| r.extensions().get::<Outcome>()) {
        return (outcome.class(), outcome.may_retry());
    }
    let report = response.and_then(report_of);
    let answer = match result {
        Ok(response) => Answer::reported(response, report.as_deref(), None),
        Err(error) => Answer::error(error, None),
    };
    let class = classify.classify(&answer);
    (class, class.is_refusal() && classify.may_retry(&answer))
}
