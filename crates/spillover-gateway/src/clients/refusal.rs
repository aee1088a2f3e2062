use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::client::Client;
use crate::dialect::{Dialect, ErrorKind, GatewayError};

/// Why a request may not come in.
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
    /// Whose request it is, if that is known.
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Self::TooMany { client, .. } => Some(client),
            Self::NoKey | Self::UnknownKey => None,
        }
    }

    /// Says so to the client, in its words.
    pub(super) fn response<ReqBody, ResBody: From<Bytes>>(
        &self,
        request: &Request<ReqBody>,
    ) -> Response<ResBody> {
        let dialect = Dialect::of(request.uri(), request.headers());
        let is_grpc = dialect == Dialect::Grpc;
        let mut response = dialect.response(&self.error());
        let headers = response.headers_mut();
        match self {
            Self::TooMany { wait, .. } => write_wait(headers, *wait, is_grpc),
            // It goes with status 401, which no gRPC error has.
            Self::NoKey | Self::UnknownKey if is_grpc => {}
            Self::NoKey => write_challenge(headers, CHALLENGE),
            Self::UnknownKey => write_challenge(headers, CHALLENGE_TO_ANOTHER),
        }
        response
    }

    fn error(&self) -> GatewayError {
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
        GatewayError { kind, message }
    }
}

/// The fields of [`Exhausted::write`](spillover_core::Exhausted::write). The wait is a minute at most, which is worth it.
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

/// Rounded up, and never 0, which SDKs take for no hint at all.
fn seconds(wait: Duration) -> u64 {
    let rest = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(rest).max(1)
}

/// Without an error where no key was sent at all (RFC 6750 section 3.1).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="spillover""#);
const CHALLENGE_TO_ANOTHER: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="spillover", error="invalid_token""#);

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
