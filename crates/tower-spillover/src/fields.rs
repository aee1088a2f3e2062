//! Names of header fields that several layers look at.

use http::HeaderName;

/// How a call of gRPC went: in the trailers, or in the head of a response that has nothing else.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
