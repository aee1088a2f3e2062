use http::{HeaderMap, Response, StatusCode};

use crate::{Backend, Class};

/// Decides what an answer means. Closures implement it.
///
/// ```
/// use http::StatusCode;
/// use spillover_core::{Answer, Class, Classify, StatusClassifier};
///
/// // GitHub answers 403 to who is over a secondary limit.
/// let github = |answer: &Answer<'_, std::io::Error>| match (answer.status(), answer.headers()) {
///     (Some(StatusCode::FORBIDDEN), Some(headers)) if headers.contains_key("retry-after") => Class::Throttled,
///     _ => StatusClassifier::new().classify(answer),
/// };
///
/// let mut response = http::Response::new(());
/// *response.status_mut() = StatusCode::FORBIDDEN;
/// assert_eq!(github.classify(&Answer::response(&response, None)), Class::ClientError);
/// response.headers_mut().insert("retry-after", "60".parse()?);
/// assert_eq!(github.classify(&Answer::response(&response, None)), Class::Throttled);
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
pub trait Classify<E> {
    /// The class of this answer.
    fn classify(&self, answer: &Answer<'_, E>) -> Class;
}

impl<E, F> Classify<E> for F
where
    F: Fn(&Answer<'_, E>) -> Class,
{
    fn classify(&self, answer: &Answer<'_, E>) -> Class {
        self(answer)
    }
}

/// What came back from an attempt: the head of a response, or an error.
#[derive(Debug)]
pub struct Answer<'a, E> {
    result: Result<(StatusCode, &'a HeaderMap), &'a E>,
    backend: Option<&'a Backend>,
}

impl<'a, E> Answer<'a, E> {
    /// The head of a response, and the backend that gave it.
    pub fn response<B>(response: &'a Response<B>, backend: Option<&'a Backend>) -> Self {
        Self {
            result: Ok((response.status(), response.headers())),
            backend,
        }
    }

    /// An error in place of a response.
    pub fn error(error: &'a E, backend: Option<&'a Backend>) -> Self {
        Self {
            result: Err(error),
            backend,
        }
    }

    /// The status; `None` for an error.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.result.map(|(status, _)| status).ok()
    }

    /// The header fields; `None` for an error.
    #[must_use]
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.result.map(|(_, headers)| headers).ok()
    }

    /// The error, where there is no response.
    #[must_use]
    pub fn as_error(&self) -> Option<&'a E> {
        self.result.err()
    }

    /// The backend that was asked, where it is known.
    #[must_use]
    pub fn backend(&self) -> Option<&'a Backend> {
        self.backend
    }
}

/// Reads the class off the status code (RFC 9110 section 15, RFC 6585 section 4).
///
/// | answer | class |
/// |---|---|
/// | 429 | [`Class::Throttled`] |
/// | 5xx, and every error | [`Class::Failing`] |
/// | 401, when the backend has a credential of its own | [`Class::Credential`] |
/// | other 4xx | [`Class::ClientError`] |
/// | the rest | [`Class::Success`] |
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusClassifier {
    _priv: (),
}

impl StatusClassifier {
    /// The classifier.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<E> Classify<E> for StatusClassifier {
    fn classify(&self, answer: &Answer<'_, E>) -> Class {
        let Some(status) = answer.status() else {
            return Class::Failing;
        };
        let own_credential = || answer.backend().is_some_and(|b| b.credential().is_some());
        match status {
            StatusCode::TOO_MANY_REQUESTS => Class::Throttled,
            StatusCode::UNAUTHORIZED if own_credential() => Class::Credential,
            _ if status.is_server_error() => Class::Failing,
            _ if status.is_client_error() => Class::ClientError,
            _ => Class::Success,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credential;

    fn class(status: u16, backend: Option<&Backend>) -> Class {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        StatusClassifier::new().classify(&Answer::<()>::response(&response, backend))
    }

    #[test]
    fn status_decides() {
        let cases = [
            (200, Class::Success),
            (204, Class::Success),
            (304, Class::Success),
            (400, Class::ClientError),
            (401, Class::ClientError),
            (403, Class::ClientError),
            (404, Class::ClientError),
            (408, Class::ClientError),
            (429, Class::Throttled),
            (500, Class::Failing),
            (502, Class::Failing),
            (503, Class::Failing),
            (529, Class::Failing),
            (599, Class::Failing),
        ];
        for (status, expected) in cases {
            assert_eq!(class(status, None), expected, "{status}");
        }
    }

    #[test]
    fn unauthorized_is_the_backends_fault_only_with_the_pools_credential() {
        let without = Backend::builder("a").url("http://a").build().unwrap();
        let with = Backend::builder("a")
            .url("http://a")
            .credential(Credential::api_key("k").unwrap())
            .build()
            .unwrap();

        assert_eq!(class(401, Some(&without)), Class::ClientError);
        assert_eq!(class(401, Some(&with)), Class::Credential);
        assert_eq!(class(403, Some(&with)), Class::ClientError);
    }

    #[test]
    fn an_error_is_a_failure() {
        let error = std::io::Error::other("refused");
        let answer = Answer::error(&error, None);
        assert_eq!(StatusClassifier::new().classify(&answer), Class::Failing);
        assert_eq!(answer.as_error().unwrap().to_string(), "refused");
        assert!(answer.status().is_none() && answer.headers().is_none());
    }
}
