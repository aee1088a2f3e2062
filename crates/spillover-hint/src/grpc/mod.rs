//! Reads gRPC errors: status, message and details, in trailers or in a response with headers only.

mod details;
mod wire;

use std::borrow::Cow;

use crate::{Hints, Refusal, body, evidence::Evidence, headers::Signals};

/// Returns the kind for a [status code](https://grpc.io/docs/guides/status-codes/); `None` for success and for unknown
/// codes.
pub(crate) fn refusal(status: &[u8]) -> Option<Refusal> {
    let status: u32 = std::str::from_utf8(status.trim_ascii())
        .ok()?
        .parse()
        .ok()?;
    Some(match status {
        0 => return None,
        // RESOURCE_EXHAUSTED
        8 => Refusal::Throttled,
        // UNAVAILABLE. Proxies also map 429, 502, 503 and 504 to it.
        14 => Refusal::Capacity,
        // PERMISSION_DENIED, UNAUTHENTICATED
        7 | 16 => Refusal::Credential,
        // CANCELLED, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED
        1 | 3 | 5 | 6 | 9..=12 => Refusal::Client,
        // UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, DATA_LOSS
        _ => Refusal::Failing,
    })
}

/// Reads the details and the message.
pub(crate) fn read(signals: &Signals<'_>, hints: &mut Hints) -> Evidence {
    let mut found = Evidence::default();
    if let Some(value) = signals.grpc_details {
        details::read(value, &mut found, hints);
    }
    if let Some(message) = signals.grpc_message {
        let message = percent_decoded(&message[..message.len().min(MAX_MESSAGE)]);
        let message = String::from_utf8_lossy(&message);
        found.cause = body::cause(&message).or(found.cause);
        body::read_message(&message, &mut found, hints);
    }
    found
}

/// Decodes [percent-encoding](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses); invalid
/// sequences stay as they are.
fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let hex = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if let ([high, low, after @ ..], b'%') = (after, byte)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high * 16 + low);
            rest = after;
        } else {
            decoded.push(*byte);
        }
    }
    Cow::Owned(decoded)
}

const MAX_MESSAGE: usize = 8 * 1024;
