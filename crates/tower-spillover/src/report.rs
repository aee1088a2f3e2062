//! What a refusal says of itself.

use std::borrow::Cow;

use http::{HeaderName, Response};
use spillover_hint::Report;

/// What a layer inside has read of a refusal, else what its head says.
pub(crate) fn report_of<ResBody>(response: &Response<ResBody>) -> Option<Cow<'_, Report>> {
    if let Some(report) = response.extensions().get::<Report>() {
        return Some(Cow::Borrowed(report));
    }
    let (status, headers) = (response.status(), response.headers());
    let may_refuse = !status.is_success() || headers.contains_key(GRPC_STATUS);
    let report = may_refuse.then(|| Report::from_head(status, headers));
    report.flatten().map(Cow::Owned)
}

/// A gRPC response that is an error and nothing else has it in its head, and HTTP status 200.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
