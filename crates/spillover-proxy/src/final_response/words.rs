//! Errors that replace a backend's refusal.

use bytes::Bytes;
use http::{Response, request::Parts};
use spillover_core::{Class, Exhausted};

use crate::error::{ErrorFormat, ErrorKind, ProxyError};

/// Returns the response to a request that finds every backend closed: 429 with the reason, in the format of the client. Serves as
/// the exhausted response of `PrioritySelectLayer`.
pub fn all_closed<B: From<Bytes>>(exhausted: &Exhausted, request: &Parts) -> Response<B> {
    let format = ErrorFormat::of_request(&request.uri, &request.headers);
    format.response(&at_limit(exhausted))
}

/// Returns the error for a request that the pool takes later. Quotes the backend that opens first, unless its message is about the
/// gateway's own account.
pub(super) fn at_limit(exhausted: &Exhausted) -> ProxyError {
    let cause = exhausted.cause();
    let what = match cause.map(|cause| cause.class()) {
        Some(Class::Quota) => return quota(),
        Some(Class::Throttled) => "Every backend is at its rate limit.",
        Some(_) => "No backend takes the request at the moment.",
        None => "Every backend is busy.",
    };
    let seconds = exhausted.reopens_in().as_secs_f64().ceil().max(1.0);
    let mut message = format!("{what} Please retry after {seconds} seconds.");
    let quoted = cause.filter(|cause| cause.class() != Class::Credential);
    if let Some(said) = quoted.and_then(|cause| cause.message()) {
        message.push_str(" The backend said: ");
        message.push_str(said);
    }
    ProxyError {
        kind: ErrorKind::RateLimit,
        message,
    }
}

/// Returns the error for a backend that does not accept the gateway's credential.
pub(super) fn credential() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Credential,
        message: "The backend does not accept the gateway's own credential.".into(),
    }
}

/// Returns the error for accounts whose quota or money is used up.
pub(super) fn quota() -> ProxyError {
    ProxyError {
        kind: ErrorKind::Quota,
        message: "The quota of every backend is used up.".into(),
    }
}
