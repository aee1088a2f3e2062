//! The meaning of an answer for the backend that gave it.

mod grpc;
mod overrides;
mod status;

use http::{Extensions, HeaderMap, Response, StatusCode};
use spillover_hint::Report;

pub use self::{grpc::GrpcClassifier, status::StatusClassifier};
use crate::{Backend, Class};

/// Classifies a response or an error. Functions and closures implement this trait.
///
/// A function that is generic over the error fits every client. A closure has to name the type of its argument:
/// `|answer: &Answer<'_, BoxError>|`.
///
/// ```
/// use http::{Response, StatusCode};
/// use spillover_core::{Answer, Class, Classify, StatusClassifier};
///
/// // GitHub answers 403 also where a token may not see one resource: another token may.
/// fn github<E>(answer: &Answer<'_, E>) -> Class {
///     match StatusClassifier::new().classify(answer) {
///         Class::Credential | Class::ClientError if answer.status() == Some(StatusCode::FORBIDDEN) => Class::Declined,
///         class => class,
///     }
/// }
///
/// let mut response = Response::new(());
/// *response.status_mut() = StatusCode::FORBIDDEN;
/// assert_eq!(github.classify(&Answer::<()>::response(&response, None)), Class::Declined);
/// response.headers_mut().insert("retry-after", "60".parse()?);
/// assert_eq!(github.classify(&Answer::<()>::response(&response, None)), Class::Throttled);
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not classify answers of a service whose error is `{E}`",
    label = "not a `Classify`",
    note = "bring `StatusClassifier`, `GrpcClassifier` or a closure that names the type of its argument: `|answer: &Answer<'_, {E}>| Class::Success`"
)]
pub trait Classify<E> {
    /// Returns the class of an answer.
    fn classify(&self, answer: &Answer<'_, E>) -> Class;

    /// Returns true if the request may go to another backend after this answer, which is a refusal. Closures always allow it.
    fn may_retry(&self, answer: &Answer<'_, E>) -> bool {
        let _ = answer;
        true
    }
}

#[diagnostic::do_not_recommend]
impl<E, F> Classify<E> for F
where
    F: Fn(&Answer<'_, E>) -> Class,
{
    fn classify(&self, answer: &Answer<'_, E>) -> Class {
        self(answer)
    }
}

/// The result of an attempt: the head of a response with its report, or an error.
#[derive(Debug)]
pub struct Answer<'a, E> {
    result: Result<Head<'a>, &'a E>,
    backend: Option<&'a Backend>,
    is_unprocessed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Head<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    report: Option<&'a Report>,
    extensions: &'a Extensions,
}

/// Marks a response, by its extensions, that a layer gave in place of the backend, because the request cannot be
/// adapted to that backend. The classifiers of this crate return [`Class::Declined`]: another backend gets the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declined;

impl<'a, E> Answer<'a, E> {
    /// Creates the answer from the head of a response and the backend that gave it.
    pub fn response<B>(response: &'a Response<B>, backend: Option<&'a Backend>) -> Self {
        Self::reported(response, None, backend)
    }

    /// Creates the answer from the head of a response and the report that was read from its head and body.
    pub fn reported<B>(
        response: &'a Response<B>,
        report: Option<&'a Report>,
        backend: Option<&'a Backend>,
    ) -> Self {
        let head = Head {
            status: response.status(),
            headers: response.headers(),
            report,
            extensions: response.extensions(),
        };
        Self {
            result: Ok(head),
            backend,
            is_unprocessed: false,
        }
    }

    /// Creates the answer from an error in place of a response.
    pub fn error(error: &'a E, backend: Option<&'a Backend>) -> Self {
        Self {
            result: Err(error),
            backend,
            is_unprocessed: false,
        }
    }

    /// Sets whether the connection ended before the backend processed the request. Default: false.
    #[must_use]
    pub fn unprocessed(self, is_unprocessed: bool) -> Self {
        Self {
            is_unprocessed,
            ..self
        }
    }

    /// Returns the status. `None` for an error.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.head().map(|head| head.status)
    }

    /// Returns the header fields. `None` for an error.
    #[must_use]
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.head().map(|head| head.headers)
    }

    /// Returns the report of a refusal, if it was read.
    #[must_use]
    pub fn report(&self) -> Option<&'a Report> {
        self.head()?.report
    }

    /// Returns true for a response that is [`Declined`].
    #[must_use]
    pub fn is_declined(&self) -> bool {
        let extensions = self.head().map(|head| head.extensions);
        extensions.is_some_and(|extensions| extensions.get::<Declined>().is_some())
    }

    /// Returns the error. `None` for a response.
    #[must_use]
    pub fn as_error(&self) -> Option<&'a E> {
        self.result.err()
    }

    /// Returns true if the connection is known to have ended before the backend processed the request.
    #[must_use]
    pub fn is_unprocessed(&self) -> bool {
        self.is_unprocessed
    }

    /// Returns the backend of the attempt, if it is known.
    #[must_use]
    pub fn backend(&self) -> Option<&'a Backend> {
        self.backend
    }

    fn head(&self) -> Option<Head<'a>> {
        self.result.ok()
    }
}
