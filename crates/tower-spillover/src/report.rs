//! The report of a refusal.

#[cfg(any(feature = "hedge", feature = "retry", feature = "throttle"))]
use std::borrow::Cow;

use http::Response;
use spillover_hint::Report;

use crate::fields::GRPC_STATUS;

/// Returns the report that a layer inside has made of a refusal, else the report of its head.
#[cfg(any(feature = "hedge", feature = "retry", feature = "throttle"))]
pub(crate) fn report_of<ResBody>(response: &Response<ResBody>) -> Option<Cow<'_, Report>> {
    match response.extensions().get::<Report>() {
        Some(report) => Some(Cow::Borrowed(report)),
        None => report_of_head(response).map(Cow::Owned),
    }
}

/// Returns the report of the head of a refusal. A gRPC response that is only an error has HTTP status 200.
pub(crate) fn report_of_head<ResBody>(response: &Response<ResBody>) -> Option<Report> {
    let (status, headers) = (response.status(), response.headers());
    let may_refuse = !status.is_success() || headers.contains_key(GRPC_STATUS);
    let report = may_refuse.then(|| Report::from_head(status, headers));
    report.flatten()
}
