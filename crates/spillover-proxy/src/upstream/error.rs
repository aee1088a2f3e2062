use std::{error::Error, fmt::Write, iter, time::Duration};

use hyper_util::client::legacy::{self, connect::Connected};
use spillover_serve::BodyTimeout;
use tower_spillover::{
    connection::{is_unanswered, is_unprocessed},
    retry::ReplayError,
};

use crate::{
    error::{ErrorKind, ProxyError},
    limits::BodyTooLarge,
};

/// Error of an attempt that has no response.
#[derive(Debug)]
pub(super) struct UpstreamError {
    kind: Kind,
    detail: String,
}

#[derive(Debug)]
enum Kind {
    Unreachable,
    /// The connection ended before the backend processed the request.
    Unprocessed,
    Broken,
    Timeout(Duration),
    Late,
    RequestBody,
    LargeRequest(BodyTooLarge),
    SlowRequest(Duration),
}

impl UpstreamError {
    pub(super) fn timeout(after: Duration) -> Self {
        Self {
            kind: Kind::Timeout(after),
            detail: format!("no response head within {} s", after.as_secs_f64()),
        }
    }

    /// Creates the error for a response head that is late for the client's own timeout.
    pub(super) fn late() -> Self {
        Self {
            kind: Kind::Late,
            detail: "no response head within the client's patience".into(),
        }
    }

    pub(super) fn slow_request(after: Duration) -> Self {
        Self {
            kind: Kind::SlowRequest(after),
            detail: format!(
                "the client sent no whole request within {} s",
                after.as_secs_f64()
            ),
        }
    }

    /// Creates the error for a 101 response to a request without `upgrade`.
    pub(super) fn switched() -> Self {
        Self {
            kind: Kind::Broken,
            detail: "a switch of protocols that was not asked for".into(),
        }
    }

    /// Returns true when the backend certainly did not process the request.
    pub(super) fn is_unprocessed(&self) -> bool {
        matches!(self.kind, Kind::Unprocessed)
    }

    /// Returns the text for the log. It may name hosts and addresses.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the error for the client, without hosts and addresses.
    pub(super) fn into_client_error(self) -> ProxyError {
        let (kind, message) = match self.kind {
            Kind::Unreachable => (
                ErrorKind::Unavailable,
                "The backend could not be reached.".into(),
            ),
            Kind::Unprocessed | Kind::Broken => (
                ErrorKind::Unavailable,
                "The backend ended the connection before it answered.".into(),
            ),
            Kind::Timeout(after) => (
                ErrorKind::Timeout,
                format!(
                    "The backend did not answer within {} s.",
                    after.as_secs_f64()
                ),
            ),
            Kind::Late => (
                ErrorKind::Timeout,
                "The backend did not answer in time.".into(),
            ),
            Kind::RequestBody => return ProxyError::incomplete_request(),
            Kind::LargeRequest(error) => (ErrorKind::TooLarge, error.to_string()),
            Kind::SlowRequest(after) => return ProxyError::slow_request(after),
        };
        ProxyError { kind, message }
    }
}

impl From<legacy::Error> for UpstreamError {
    fn from(error: legacy::Error) -> Self {
        let kind = if let Some(too_large) = find::<BodyTooLarge>(&error) {
            Kind::LargeRequest(*too_large)
        } else if let Some(timeout) = find::<BodyTimeout>(&error) {
            Kind::SlowRequest(timeout.after())
        } else if find::<ReplayError>(&error).is_some_and(ReplayError::is_source) {
            Kind::RequestBody
        } else if error.is_connect() {
            Kind::Unreachable
        } else if is_unprocessed(&error) || is_http2(&error) && is_unanswered(&error) {
            Kind::Unprocessed
        } else {
            Kind::Broken
        };
        Self {
            kind,
            detail: chain(&error),
        }
    }
}

fn find<E: Error + 'static>(error: &legacy::Error) -> Option<&E> {
    sources(error).find_map(|error| error.downcast_ref())
}

fn is_http2(error: &legacy::Error) -> bool {
    let connected = error.connect_info();
    connected.is_some_and(Connected::is_negotiated_h2)
}

/// Converts the error of a connection that ended during a protocol upgrade.
impl From<hyper::Error> for UpstreamError {
    fn from(error: hyper::Error) -> Self {
        Self {
            kind: Kind::Broken,
            detail: chain(&error),
        }
    }
}

/// Returns the error and its sources in one line, separated by colons.
fn chain(error: &(dyn Error + 'static)) -> String {
    sources(error).fold(String::new(), |mut line, error| {
        let separator = if line.is_empty() { "" } else { ": " };
        // Cannot fail: the target is a string.
        let _ = write!(line, "{separator}{error}");
        line
    })
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
