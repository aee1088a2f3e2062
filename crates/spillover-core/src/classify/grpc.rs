use http::HeaderName;
use spillover_hint::Refusal;

use super::{Answer, Classify, StatusClassifier, overrides::Overrides};
use crate::Class;

/// Classifies responses by the [status code of gRPC](https://grpc.io/docs/guides/status-codes/) in their head.
/// Responses without one, e.g. those of a proxy in between, are classified by [`StatusClassifier`].
///
/// | code | class |
/// |---|---|
/// | none: the connection ended before the backend processed the call ([`Answer::is_unprocessed`]) | [`Class::Unprocessed`] |
/// | 0 `OK` | [`Class::Success`] |
/// | 8 `RESOURCE_EXHAUSTED` | [`Class::Throttled`], or [`Class::Quota`] where the details name a limit of a day or a month |
/// | 14 `UNAVAILABLE` | [`Class::Capacity`] |
/// | 4 `DEADLINE_EXCEEDED` | [`Class::Failing`] |
/// | 7 `PERMISSION_DENIED`, 16 `UNAUTHENTICATED`, when the backend has a credential of its own | [`Class::Credential`] |
/// | the rest | [`Class::ClientError`] |
///
/// This classifier is more careful than [`StatusClassifier`], which counts 2 `UNKNOWN`, 13 `INTERNAL` and 15
/// `DATA_LOSS` as failures of the backend. In gRPC an application uses these codes, too, and a call that it has
/// processed must not be repeated unasked.
///
/// A negative or malformed `grpc-retry-pushback-ms` forbids another attempt ([gRFC
/// A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback)): the backend is closed, and the
/// client gets the response. Any other value is the cooldown of the backend.
///
/// The status of a response with a body comes after the body, in trailers. The `StreamPeek` layer of `tower-spillover`
/// moves trailers that come before the first message into the head.
///
/// ```
/// use http::Response;
/// use spillover_core::{Answer, Class, Classify, GrpcClassifier};
///
/// let class = |code: &str| {
///     let response = Response::builder().header("grpc-status", code).body(()).expect("it is valid");
///     GrpcClassifier::new().with_code(13, Class::Failing).classify(&Answer::<()>::response(&response, None))
/// };
/// assert_eq!(class("0"), Class::Success);
/// assert_eq!(class("8"), Class::Throttled);
/// assert_eq!(class("13"), Class::Failing);
/// assert_eq!(class("2"), Class::ClientError);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GrpcClassifier {
    http: StatusClassifier,
    overrides: Overrides<u32>,
}

impl GrpcClassifier {
    /// Creates the classifier.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the class of responses with this code, whatever else they say; see [`StatusClassifier::with_status`].
    #[must_use]
    pub fn with_code(self, code: u32, class: Class) -> Self {
        Self {
            overrides: self.overrides.with(code, class),
            ..self
        }
    }
}

impl<E> Classify<E> for GrpcClassifier {
    fn classify(&self, answer: &Answer<'_, E>) -> Class {
        if answer.is_unprocessed() {
            return Class::Unprocessed;
        }
        let Some(status) = answer
            .headers()
            .and_then(|headers| headers.get(GRPC_STATUS))
        else {
            return self.http.classify(answer);
        };
        // A malformed code stands for `UNKNOWN`, as in any client.
        let code = status
            .to_str()
            .ok()
            .and_then(|code| code.trim().parse().ok());
        let code = code.unwrap_or(UNKNOWN);
        if let Some(class) = self.overrides.get(code) {
            return class;
        }
        let has_own_credential = answer.backend().is_some_and(|b| b.credential().is_some());
        match code {
            0 => Class::Success,
            4 => Class::Failing,
            7 | 16 if has_own_credential => Class::Credential,
            8 => match answer.report().map(|report| report.refusal()) {
                Some(Refusal::Quota) => Class::Quota,
                Some(Refusal::TooLarge) => Class::TooLarge,
                _ => Class::Throttled,
            },
            14 => Class::Capacity,
            _ => Class::ClientError,
        }
    }

    fn may_retry(&self, answer: &Answer<'_, E>) -> bool {
        let said = answer.report().and_then(|report| report.should_retry());
        let is_grpc = || {
            answer
                .headers()
                .is_some_and(|headers| headers.contains_key(GRPC_STATUS))
        };
        said != Some(false) || !is_grpc()
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

const UNKNOWN: u32 = 2;

#[cfg(test)]
mod tests {
    use http::Response;
    use spillover_hint::Report;

    use super::*;
    use crate::{Backend, Credential};

    fn response(fields: &[(&str, &str)]) -> Response<()> {
        let response = Response::builder();
        let response = fields
            .iter()
            .fold(response, |r, (name, value)| r.header(*name, *value));
        response.body(()).unwrap()
    }

    fn class(response: &Response<()>, backend: Option<&Backend>) -> Class {
        let report = Report::from_head(response.status(), response.headers());
        let answer = Answer::<()>::reported(response, report.as_ref(), backend);
        GrpcClassifier::new().classify(&answer)
    }

    fn may_retry(response: &Response<()>) -> bool {
        let report = Report::from_head(response.status(), response.headers());
        let answer = Answer::<()>::reported(response, report.as_ref(), None);
        GrpcClassifier::new().may_retry(&answer)
    }

    #[test]
    fn the_code_decides() {
        let cases = [
            ("0", Class::Success),
            ("1", Class::ClientError),
            ("2", Class::ClientError),
            ("3", Class::ClientError),
            ("4", Class::Failing),
            ("5", Class::ClientError),
            ("7", Class::ClientError),
            ("8", Class::Throttled),
            ("12", Class::ClientError),
            ("13", Class::ClientError),
            ("14", Class::Capacity),
            ("16", Class::ClientError),
            ("eight", Class::ClientError),
            ("-8", Class::ClientError),
            ("", Class::ClientError),
        ];
        for (code, expected) in cases {
            assert_eq!(
                class(&response(&[("grpc-status", code)]), None),
                expected,
                "{code}"
            );
        }
    }

    #[test]
    fn limit_of_a_day_is_a_quota() {
        let message = "Quota%20exceeded:%20requests%20per%20day";
        let response = response(&[("grpc-status", "8"), ("grpc-message", message)]);
        assert_eq!(class(&response, None), Class::Quota);
    }

    #[test]
    fn unauthenticated_is_the_backends_fault_only_with_the_pools_credential() {
        let backend = Backend::builder("a").url("http://a");
        let backend = backend
            .credential(Credential::bearer("k").unwrap())
            .build()
            .unwrap();
        for code in ["7", "16"] {
            let response = response(&[("grpc-status", code)]);
            assert_eq!(class(&response, Some(&backend)), Class::Credential);
        }
    }

    #[test]
    fn answer_without_a_code_goes_by_its_http_status() {
        let mut response = response(&[("content-type", "text/html")]);
        assert_eq!(class(&response, None), Class::Success);
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(class(&response, None), Class::Capacity);
        let error = Answer::error(&(), None);
        assert_eq!(GrpcClassifier::new().classify(&error), Class::Failing);
    }

    #[test]
    fn pushback_that_is_no_wait_forbids_to_retry() {
        let pushback = |value| response(&[("grpc-status", "8"), ("grpc-retry-pushback-ms", value)]);
        for value in ["-1", "soon", ""] {
            assert!(!may_retry(&pushback(value)), "{value:?}");
            assert_eq!(class(&pushback(value), None), Class::Throttled);
        }
        for value in ["0", "250"] {
            assert!(may_retry(&pushback(value)), "{value:?}");
        }
        assert!(may_retry(&response(&[("grpc-status", "14")])));
        // HTTP APIs use this word for one backend.
        let mut response = response(&[("x-should-retry", "false")]);
        *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        assert!(may_retry(&response));
    }
}
