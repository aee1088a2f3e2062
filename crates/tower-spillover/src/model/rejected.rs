use std::{error::Error, fmt};

use http::{Response, StatusCode, request::Parts};
use tower::BoxError;

/// Reasons for which a request does not reach the inner service.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// The request body failed while it was read. For example the client went away.
    Body(BoxError),
    /// The model is decisive, and too many large bodies are read at the same time.
    NoRoom,
    /// The model is decisive, and the body has more than one model or is a form that parsers read in different ways.
    Ambiguous,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body(_) => "the request body could not be read",
            Self::NoRoom => "too many large bodies are read at the same time",
            Self::Ambiguous => "the request body has more than one model",
        })
    }
}

impl Error for Rejected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(&**error),
            Self::NoRoom | Self::Ambiguous => None,
        }
    }
}

/// Creates the response to a [`Rejected`] request. Closures implement this trait.
pub trait ResponseForRejected<ResBody> {
    /// Returns the response. `request` is the head of the rejected request.
    fn response_for(&self, rejected: &Rejected, request: &Parts) -> Response<ResBody>;
}

#[diagnostic::do_not_recommend]
impl<F, ResBody> ResponseForRejected<ResBody> for F
where
    F: Fn(&Rejected, &Parts) -> Response<ResBody>,
{
    fn response_for(&self, rejected: &Rejected, request: &Parts) -> Response<ResBody> {
        self(rejected, request)
    }
}

/// Answers with an empty body, and status 503 for [`Rejected::NoRoom`] or 400 for the other reasons.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyResponse {
    _priv: (),
}

#[diagnostic::do_not_recommend]
impl<ResBody: Default> ResponseForRejected<ResBody> for EmptyResponse {
    fn response_for(&self, rejected: &Rejected, _: &Parts) -> Response<ResBody> {
        let mut response = Response::new(ResBody::default());
        *response.status_mut() = match rejected {
            Rejected::Body(_) | Rejected::Ambiguous => StatusCode::BAD_REQUEST,
            Rejected::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        };
        response
    }
}
