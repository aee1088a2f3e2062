use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};

use super::Coding;
use spillover_proxy::error::ErrorFormat;
use spillover_proxy::error::ErrorKind;
use spillover_proxy::error::ProxyError;

/// The reason why the model of a body cannot be read, which matters only where the model decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The body is in a coding that is not read, or in several: the field as it came.
    Coding(Box<str>),
    /// The body is not in the coding that its head names, or is cut off.
    Corrupt(Coding),
    /// The body has more bytes than are read when it is decoded, or far more than it has in its coding.
    TooLarge(Coding),
    /// A form without a boundary that all parsers read alike.
    Boundary,
    /// More than one field `content-type`.
    Types,
}

impl Unreadable {
    pub(super) fn coding(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(CONTENT_ENCODING).iter();
        let fields: Vec<_> = fields
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let coding = fields.join(", ");
        let coding: String = coding.chars().take(LONGEST_IN_MESSAGE).collect();
        Self::Coding(coding.into())
    }

    /// The error that names the reason.
    pub(crate) fn error(&self) -> ProxyError {
        let readable = Coding::READABLE;
        let (kind, message) = match self {
            Self::Coding(coding) => (
                ErrorKind::Unsupported,
                format!(
                    "The model of this request decides where it goes, and cannot be read in the content coding `{coding}`. \
                     Send the body without a coding, or in one of: {readable}."
                ),
            ),
            Self::Corrupt(coding) => (
                ErrorKind::BadCoding,
                format!("The request body is not complete or not valid in its content coding `{}`.", coding.as_str()),
            ),
            Self::TooLarge(coding) => (
                ErrorKind::TooLarge,
                format!(
                    "The request body is too large when it is decoded from its content coding `{}` to read its model.",
                    coding.as_str()
                ),
            ),
            Self::Boundary => (
                ErrorKind::Unsupported,
                "The model of this request decides where it goes, and cannot be read: the boundary of the form in `content-type` \
                 is missing or not valid."
                    .into(),
            ),
            Self::Types => (
                ErrorKind::Unsupported,
                "The request has more than one field content-type.".into(),
            ),
        };
        ProxyError { kind, message }
    }

    /// The response that names the reason to a client.
    pub(crate) fn response<B: From<Bytes>>(&self, format: ErrorFormat) -> Response<B> {
        self.with_accepted(format.response(&self.error()))
    }

    /// The response as the answer of an attempt.
    pub(crate) fn attempt<B: From<Bytes>>(&self) -> Response<B> {
        self.with_accepted(self.error().into_response())
    }

    /// Adds the codings that are read, as a 415 because of a coding has them (RFC 9110 section 15.5.16).
    fn with_accepted<B>(&self, mut response: Response<B>) -> Response<B> {
        if let Self::Coding(_) = self {
            let readable = HeaderValue::from_static(Coding::READABLE);
            response.headers_mut().insert(ACCEPT_ENCODING, readable);
        }
        response
    }
}

/// Characters of the client's `content-encoding` that an error repeats.
const LONGEST_IN_MESSAGE: usize = 60;
