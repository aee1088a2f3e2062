//! What an answer means to the layers that may make another attempt.

use http::Response;
use spillover_core::{Answer, Class, Classify, Outcome};

use crate::report::report_of;

/// The class of a refusal after which another backend may be asked; by the [`Outcome`] where a layer inside left one.
pub(crate) fn refusal_of<ResBody, E, C>(
    result: &Result<Response<ResBody>, E>,
    classify: &C,
) -> Option<Class>
where
    C: Classify<E>,
{
    let response = result.as_ref().ok();
    if let Some(outcome) = response.and_then(|r| r.extensions().get::<Outcome>()) {
        return outcome.may_retry().then(|| outcome.class());
    }
    let report = response.and_then(report_of);
    let answer = match result {
        Ok(response) => Answer::reported(response, report.as_deref(), None),
        Err(error) => Answer::error(error, None),
    };
    let class = classify.classify(&answer);
    (class.is_refusal() && classify.may_retry(&answer)).then_some(class)
}
