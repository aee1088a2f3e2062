//! Responses to requests whose model cannot be read, in the format of the client.
//!
//! The errors of the `model` layer of `tower-spillover` become errors of the proxy. See [`rejected_response`] for the layer
//! itself, and [`unreadable_response`] for a service that needs the model.

use bytes::Bytes;
use http::{HeaderValue, Response, header::ACCEPT_ENCODING, request::Parts};
use spillover_serve::BodyTimeout;
use tower::BoxError;
use tower_spillover::{
    coding::Coding,
    model::{Rejected, Unreadable},
};

use crate::error::{ErrorFormat, ErrorKind, ProxyError};

/// Returns the response to a request that the model layer rejects: a body that broke off, or a model that is ambiguous. Serves as
/// the rejected response of `ModelScopeLayer`.
pub fn rejected_response<B: From<Bytes>>(rejected: &Rejected, head: &Parts) -> Response<B> {
    let error = match rejected {
        Rejected::Body(error) => incomplete(error),
        Rejected::NoRoom => {
            tracing::warn!("a request was refused: too many large bodies are read at the same time");
            ProxyError {
                kind: ErrorKind::Overloaded,
                message: "The gateway reads too many large requests at the moment. Please retry.".into(),
            }
        }
        _ => ProxyError {
            kind: ErrorKind::Ambiguous,
            message: "The request body has more than one model, or a form that can be read in more than one way.".into(),
        },
    };
    ErrorFormat::of_request(&head.uri, &head.headers).response(&error)
}

fn incomplete(error: &BoxError) -> ProxyError {
    tracing::debug!(%error, "the request body could not be read");
    match error.downcast_ref::<BodyTimeout>() {
        Some(timeout) => ProxyError::slow_request(timeout.after()),
        None => ProxyError::incomplete_request(),
    }
}

/// Returns the error for a body whose model cannot be read.
fn unreadable_error(unreadable: &Unreadable) -> ProxyError {
    let readable = Coding::READABLE;
    let (kind, message) = match unreadable {
        Unreadable::Coding(coding) => (
            ErrorKind::Unsupported,
            format!(
                "The model of this request decides where it goes, and cannot be read in the content coding `{coding}`. \
                 Send the body without a coding, or in one of: {readable}."
            ),
        ),
        Unreadable::Corrupt(coding) => (
            ErrorKind::BadCoding,
            format!("The request body is not complete or not valid in its content coding `{}`.", coding.as_str()),
        ),
        Unreadable::TooLarge(coding) => (
            ErrorKind::TooLarge,
            format!(
                "The request body is too large when it is decoded from its content coding `{}` to read its model.",
                coding.as_str()
            ),
        ),
        Unreadable::Types => (
            ErrorKind::Unsupported,
            "The request has more than one field content-type.".into(),
        ),
        // The boundary; the other reasons have their own texts.
        _ => (
            ErrorKind::Unsupported,
            "The model of this request decides where it goes, and cannot be read: the boundary of the form in `content-type` \
             is missing or not valid."
                .into(),
        ),
    };
    ProxyError { kind, message }
}

/// Returns the response that names the reason to a client. A 415 because of the coding lists the readable codings in
/// `accept-encoding` (RFC 9110 section 15.5.16).
pub fn unreadable_response<B: From<Bytes>>(
    unreadable: &Unreadable,
    format: ErrorFormat,
) -> Response<B> {
    with_accepted(unreadable, format.response(&unreadable_error(unreadable)))
}

/// Returns the same response in place of the response of an attempt.
pub(crate) fn unreadable_attempt<B: From<Bytes>>(unreadable: &Unreadable) -> Response<B> {
    with_accepted(unreadable, unreadable_error(unreadable).into_response())
}

/// Adds the codings that are read, as a 415 because of a coding has them (RFC 9110 section 15.5.16).
fn with_accepted<B>(unreadable: &Unreadable, mut response: Response<B>) -> Response<B> {
    if let Unreadable::Coding(_) = unreadable {
        let readable = HeaderValue::from_static(Coding::READABLE);
        response.headers_mut().insert(ACCEPT_ENCODING, readable);
    }
    response
}
