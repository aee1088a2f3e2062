use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::client::Client;
use crate::error::{ErrorFormat, ErrorKind, ProxyError};

/// Reason for refusing a request.
#[derive(Debug)]
pub(super) enum Refusal {
    NoKey,
    UnknownKey,
    TooMany {
        client: Client,
        per_minute: NonZeroU32,
        wait: Duration,
    },
}

impl Refusal {
    /// Returns the client, if it is known.
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Self::TooMany { client, .. } => Some(client),
            Self::NoKey | Self::UnknownKey => None,
        }
    }

    /// Returns the response in the format of the client.
    pub(super) fn response<ReqBody, ResBody: From<Bytes>>(
        &self,
        request: &Request<ReqBody>,
    ) -> Response<ResBody> {
        let format = ErrorFormat::of_request(request.uri(), request.headers());
        let is_grpc = format == ErrorFormat::Grpc;
        let mut response = format.response(&self.error());
        let headers = response.headers_mut();
        match self {
            Self::TooMany { wait, .. } => write_wait(headers, *wait, is_grpc),
            // `www-authenticate` belongs to status 401, which gRPC responses do not have.
            Self::NoKey | Self::UnknownKey if is_grpc => {}
            Self::NoKey => write_challenge(headers, CHALLENGE),
            Self::UnknownKey => write_challenge(headers, CHALLENGE_UNKNOWN),
        }
        response
    }

    fn error(&self) -> ProxyError {
        let (kind, message) = match self {
            Self::NoKey => (
                ErrorKind::Unauthorized,
                "No API key was sent. Send one as a bearer token in `authorization`, in `api-key` or in `x-api-key`."
                    .to_owned(),
            ),
            Self::UnknownKey => (
                ErrorKind::Unauthorized,
                "The API key is not one of this gateway's.".to_owned(),
            ),
            Self::TooMany {
                client,
                per_minute,
                wait,
            } => (
                ErrorKind::RateLimit,
                format!(
                    "{} is at its limit of {per_minute} requests per minute. Please retry after {} seconds.",
                    client.name(),
                    seconds(*wait)
                ),
            ),
        };
        ProxyError { kind, message }
    }
}

/// Writes the fields of [`Exhausted::write`](spillover_core::Exhausted::write).
fn write_wait(headers: &mut HeaderMap, wait: Duration, is_grpc: bool) {
    let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000).max(1)).unwrap_or(u64::MAX);
    if is_grpc {
        headers.insert(GRPC_RETRY_PUSHBACK_MS, HeaderValue::from(ms));
        return;
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
    headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
    headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("true"));
}

fn write_challenge(headers: &mut HeaderMap, challenge: HeaderValue) {
    headers.insert(WWW_AUTHENTICATE, challenge);
}

/// Returns the wait in seconds, rounded up and at least 1, since SDKs ignore 0.
fn seconds(wait: Duration) -> u64 {
    let rest = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(rest).max(1)
}

/// Has no `error`, because no key was sent (RFC 6750 section 3.1).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="spillover""#);
const CHALLENGE_UNKNOWN: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="spillover", error="invalid_token""#);

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
