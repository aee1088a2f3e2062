//! Recognizes the errors of clients which say that a request was not processed.
//!
//! A connection that is kept may end at any time, and a server may end one in an orderly way while requests are under way to
//! it. A request that the server did not look at can be sent again, and says nothing about the server.
//!
//! [`ThrottleTracker`](crate::throttle) asks [`is_unprocessed`] and [`is_unanswered`] about the errors of hyper, of hyper-util's
//! `legacy::Client`, of h2, about [`std::io::Error`], and about every error in a `BoxError` (`Box<dyn Error + Send + Sync>`),
//! such as that of `tower::timeout`. Box the errors of other clients: `.map_err(BoxError::from)` in front of `reqwest` or a
//! channel of tonic.
//!
//! A service that answers in place of an error says so by [`Unprocessed`] in the extensions of its response.

use std::{any::Any, error::Error, fmt, io, iter};

use http::Response;
use hyper_util::client::legacy;

/// Marks a response that stands for an error, in its extensions: the request was not processed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Unprocessed;

impl Unprocessed {
    /// Creates the mark.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Default for Unprocessed {
    fn default() -> Self {
        Self::new()
    }
}

/// The error of a connection that was kept, and ended after a request was written and before any byte of an answer.
///
/// Only a connector can tell this from a server that fails: a connection that was never used before and ends is no race of
/// keep-alive. The connections of such a connector return this inside of an [`io::Error`] in place of the end.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StaleConnection;

impl StaleConnection {
    /// Creates the error.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl From<StaleConnection> for io::Error {
    fn from(error: StaleConnection) -> Self {
        Self::new(io::ErrorKind::ConnectionAborted, error)
    }
}

impl fmt::Display for StaleConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was kept, and ended before an answer")
    }
}

impl Error for StaleConnection {}

/// Returns true if an error says that the server did not process the request, as far as a client can tell.
///
/// | error | source |
/// |---|---|
/// | GOAWAY for the streams above its last | RFC 9113 section 6.8 |
/// | a stream reset with `REFUSED_STREAM` | RFC 9113 section 8.7 |
/// | the request was never written: the connection ended before | `hyper::Error::is_canceled` |
/// | a kept connection that ended before any byte of an answer ([`StaleConnection`]) | RFC 9112 section 9.3.1 |
///
/// The last one is no proof, but what other clients of HTTP/1.1 assume as well.
#[must_use]
pub fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return is_unprocessed_stream(error);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled() || is_dispatch_gone(error);
        }
        error.downcast_ref().is_some_and(is_stale)
    })
}

/// Returns true if an error says that the connection ended before the head of an answer.
///
/// Over HTTP/1.1 that is mostly a race of keep-alive if the connection was kept, and a server that fails if it is new. Over
/// HTTP/2 such an end is about all streams of the connection, and says nothing about one of them. One more attempt at the
/// same server tells these cases apart.
#[must_use]
pub fn is_unanswered(error: &(dyn Error + 'static)) -> bool {
    let mut is_in_connection = false;
    sources(error).any(|error| {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            // Not the body of the request, which may be read from a connection as well.
            is_in_connection = !error.is_user();
            return error.is_incomplete_message();
        }
        is_in_connection && error.downcast_ref().is_some_and(is_end)
    })
}

/// Returns true if a response or an error says that the request was not processed. The response is looked at only if it may
/// be a refusal.
pub(crate) fn is_lost<ResBody, E>(result: &Result<Response<ResBody>, E>, is_refusal: bool) -> bool
where
    E: 'static,
{
    match result {
        Ok(response) => is_refusal && response.extensions().get::<Unprocessed>().is_some(),
        Err(error) => as_error(error).is_some_and(|it| is_unprocessed(it) || is_unanswered(it)),
    }
}

fn as_error<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    if let Some(error) = any.downcast_ref::<legacy::Error>() {
        return Some(error);
    }
    if let Some(error) = any.downcast_ref::<hyper::Error>() {
        return Some(error);
    }
    if let Some(error) = any.downcast_ref::<h2::Error>() {
        return Some(error);
    }
    let error = any.downcast_ref::<io::Error>()?;
    Some(error)
}

fn is_unprocessed_stream(error: &h2::Error) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // Only the streams above the last of a GOAWAY end with it, whatever its reason; the others go on.
    error.is_remote() && (error.is_go_away() || is_refused)
}

/// Returns true if the task of an HTTP/2 connection ended with the request still in its queue. Example: a GOAWAY comes while
/// the request waits for the server to take another stream. hyper has no method for this case, only the text.
fn is_dispatch_gone(error: &hyper::Error) -> bool {
    let is_gone = |cause: &dyn Error| cause.to_string() == "runtime dropped the dispatch task";
    error.is_user() && error.source().is_some_and(is_gone)
}

fn is_stale(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|it| it.is::<StaleConnection>())
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    type BoxError = Box<dyn Error + Send + Sync>;

    #[test]
    fn stale_connection_is_found_in_what_wraps_it() {
        let error = || io::Error::from(StaleConnection::new());
        assert!(is_unprocessed(&error()));
        let boxed: BoxError = error().into();
        let result: Result<Response<()>, BoxError> = Err(boxed);
        assert!(is_lost(&result, false));
        let result: Result<Response<()>, io::Error> = Err(error());
        assert!(is_lost(&result, false));
    }

    #[test]
    fn other_ends_are_none() {
        for kind in [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::TimedOut,
        ] {
            let error = io::Error::new(kind, "x");
            assert!(!is_unprocessed(&error), "{kind}");
            // Alone it may be about anything, such as a file.
            assert!(!is_unanswered(&error), "{kind}");
        }
        let result: Result<Response<()>, &str> = Err("connection reset");
        assert!(!is_lost(&result, false));
    }

    #[test]
    fn reset_by_the_client_itself_says_nothing_about_the_server() {
        for reason in [h2::Reason::REFUSED_STREAM, h2::Reason::NO_ERROR] {
            assert!(!is_unprocessed(&h2::Error::from(reason)));
        }
    }

    #[test]
    fn response_says_so_only_where_it_is_a_refusal() {
        let mut response = Response::new(());
        response.extensions_mut().insert(Unprocessed::new());
        let result: Result<_, io::Error> = Ok(response);
        assert!(is_lost(&result, true));
        assert!(!is_lost(&result, false));
    }
}
