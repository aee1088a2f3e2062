use http::{StatusCode, header::ACCEPT_ENCODING};
use spillover_hint::{Refusal, Report};

use super::{Answer, Classify, Head, overrides::Overrides};
use crate::Class;

/// Classifies responses by their [`Report`] and their status (RFC 9110 section 15, RFC 6585 section 4).
///
/// | answer | class |
/// |---|---|
/// | none: the connection ended before the backend processed the request ([`Answer::is_unprocessed`]) | [`Class::Unprocessed`] |
/// | no refusal | [`Class::Success`] |
/// | a limit that is renewed soon, mostly 429 | [`Class::Throttled`] |
/// | a quota of a day or a month, or no money left | [`Class::Quota`] |
/// | larger than the backend takes | [`Class::TooLarge`] |
/// | a coding of the body that this backend does not take: 415 with `accept-encoding` (RFC 9110 section 15.5.16) | [`Class::Declined`] |
/// | 401, 403 or 404 about a model, deployment, file or feature that this backend lacks | [`Class::Declined`] |
/// | the response of a layer, in place of the backend: [`Declined`](super::Declined) | [`Class::Declined`] |
/// | too busy: 503, 529 | [`Class::Capacity`] |
/// | other 5xx, 408, 424, 499, and every error | [`Class::Failing`] |
/// | 401, or 403 about a key, when the backend has a credential of its own | [`Class::Credential`] |
/// | the rest | [`Class::ClientError`] |
#[derive(Clone, Debug, Default)]
pub struct StatusClassifier {
    overrides: Overrides<StatusCode>,
}

impl StatusClassifier {
    /// Creates the classifier.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the class of responses with this status, whatever else they say. [`Class::Declined`] sends the request on
    /// and closes no backend; [`Class::ClientError`] does neither.
    #[must_use]
    pub fn with_status(self, status: StatusCode, class: Class) -> Self {
        Self {
            overrides: self.overrides.with(status, class),
        }
    }
}

impl<E> Classify<E> for StatusClassifier {
    fn classify(&self, answer: &Answer<'_, E>) -> Class {
        if answer.is_unprocessed() {
            return Class::Unprocessed;
        }
        let Some(head) = answer.head() else {
            return Class::Failing;
        };
        let is_error = head.status.is_client_error() || head.status.is_server_error();
        if is_error && answer.is_declined() {
            return Class::Declined;
        }
        if let Some(class) = self.overrides.get(head.status) {
            return class;
        }
        let refusal = match head.report {
            Some(report) => Some(report.refusal()),
            None if is_error => {
                Report::from_head(head.status, head.headers).map(|report| report.refusal())
            }
            None => None,
        };
        let has_own_credential = answer.backend().is_some_and(|b| b.credential().is_some());
        match refusal {
            None => Class::Success,
            Some(Refusal::Throttled) => Class::Throttled,
            Some(Refusal::Quota) => Class::Quota,
            Some(Refusal::TooLarge) => Class::TooLarge,
            // The deployment is full, not the resource. A limit that many callers share is a limit all the same.
            Some(Refusal::Capacity) if head.status == StatusCode::TOO_MANY_REQUESTS => {
                Class::Throttled
            }
            Some(Refusal::Capacity) => Class::Capacity,
            Some(Refusal::Failing) => Class::Failing,
            Some(Refusal::Credential) if has_own_credential => Class::Credential,
            Some(Refusal::Missing) => Class::Declined,
            // Another backend may take the coding, e.g. zstd.
            Some(Refusal::Client) if is_about_coding(&head) => Class::Declined,
            Some(_) => Class::ClientError,
        }
    }
}

fn is_about_coding(head: &Head<'_>) -> bool {
    head.status == StatusCode::UNSUPPORTED_MEDIA_TYPE && head.headers.contains_key(ACCEPT_ENCODING)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::{Backend, Credential, Declined};

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
            (402, Class::Quota),
            (408, Class::Failing),
            (413, Class::TooLarge),
            (415, Class::ClientError),
            (422, Class::ClientError),
            (429, Class::Throttled),
            (500, Class::Failing),
            (502, Class::Failing),
            (503, Class::Capacity),
            (529, Class::Capacity),
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
        assert_eq!(class(403, Some(&with)), Class::Credential);
    }

    #[test]
    fn request_that_a_backend_does_not_take_is_declined() {
        let classifier =
            StatusClassifier::new().with_status(StatusCode::BAD_REQUEST, Class::ClientError);
        let mut response = Response::new(());
        let class =
            |response: &Response<()>| classifier.classify(&Answer::<()>::response(response, None));
        response
            .headers_mut()
            .insert("accept-encoding", "gzip".parse().unwrap());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        assert_eq!(class(&response), Class::Declined);
        *response.status_mut() = StatusCode::BAD_REQUEST;
        assert_eq!(class(&response), Class::ClientError);
        response.extensions_mut().insert(Declined);
        assert_eq!(class(&response), Class::Declined);
        *response.status_mut() = StatusCode::OK;
        assert_eq!(class(&response), Class::Success);
    }

    #[test]
    fn status_can_be_given_a_class() {
        let classifier = StatusClassifier::new()
            .with_status(StatusCode::NOT_FOUND, Class::Failing)
            .with_status(StatusCode::NOT_FOUND, Class::Declined)
            .with_status(StatusCode::BAD_GATEWAY, Class::ClientError);
        let class = |status: u16| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            classifier.classify(&Answer::<()>::response(&response, None))
        };
        assert_eq!(class(404), Class::Declined);
        assert_eq!(class(502), Class::ClientError);
        assert_eq!(class(500), Class::Failing);
    }

    #[test]
    fn report_of_the_body_decides() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let report = Report::from_head(response.status(), response.headers()).unwrap();
        let report = report
            .with_body(br#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#);
        let answer = Answer::<()>::reported(&response, Some(&report), None);
        assert_eq!(StatusClassifier::new().classify(&answer), Class::Quota);
    }

    #[test]
    fn request_for_a_model_that_the_backend_lacks_is_declined() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NOT_FOUND;
        let class = |body: &[u8]| {
            let report = Report::from_head(response.status(), response.headers()).unwrap();
            let report = report.with_body(body);
            let answer = Answer::<()>::reported(&response, Some(&report), None);
            StatusClassifier::new().classify(&answer)
        };
        let missing = br#"{"error":{"code":"DeploymentNotFound"}}"#;
        assert_eq!(class(missing), Class::Declined);
        let id = br#"{"error":{"message":"No such File object: file-1"}}"#;
        assert_eq!(class(id), Class::ClientError);
    }

    #[test]
    fn answer_that_was_not_processed_is_no_failure() {
        let error = std::io::Error::other("GOAWAY");
        let answer = Answer::error(&error, None).unprocessed(true);
        assert_eq!(
            StatusClassifier::new().classify(&answer),
            Class::Unprocessed
        );
        // The gateway has a response in place of the error.
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let answer = Answer::<()>::response(&response, None).unprocessed(true);
        let classifier = StatusClassifier::new().with_status(StatusCode::BAD_GATEWAY, Class::Quota);
        assert_eq!(classifier.classify(&answer), Class::Unprocessed);
    }

    #[test]
    fn error_is_a_failure() {
        let error = std::io::Error::other("refused");
        let answer = Answer::error(&error, None);
        assert_eq!(StatusClassifier::new().classify(&answer), Class::Failing);
        assert_eq!(answer.as_error().unwrap().to_string(), "refused");
        assert!(answer.status().is_none() && answer.headers().is_none());
    }
}
