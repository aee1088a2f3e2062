//! Reads `grpc-status-details-bin`: base64 of [`google.rpc.Status`] with the standard [details].
//!
//! Only three fields matter here, too few for a code generator and its runtime.
//!
//! [`google.rpc.Status`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto
//! [details]: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto

use std::time::Duration;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{
    Hints,
    body::{self, google},
    evidence::Evidence,
    grpc::wire::{Fields, Value},
    words,
};

pub(crate) fn read(value: &[u8], found: &mut Evidence, hints: &mut Hints) {
    // Commas join several lines of a binary field; only the first is read.
    let end = value
        .iter()
        .position(|byte| *byte == b',')
        .unwrap_or(value.len());
    let value = value[..end].trim_ascii();
    if value.len() > MAX_LEN {
        return;
    }
    let Ok(status) = BASE64.decode(value) else {
        return;
    };

    let mut wait = None;
    for (number, value) in Fields::new(&status).take(MAX_FIELDS) {
        match (number, value) {
            (2, Value::Bytes(message)) => {
                found.cause = body::cause(&String::from_utf8_lossy(message));
            }
            (3, Value::Bytes(any)) => wait = wait.max(read_detail(any, found)),
            _ => {}
        }
    }
    if let Some(wait) = wait {
        google::push_retry_info(wait, found, hints);
    }
}

/// Reads a `google.protobuf.Any`. Returns the wait if it is a `RetryInfo` with one.
fn read_detail(any: &[u8], found: &mut Evidence) -> Option<Duration> {
    let url = bytes(any, 1)?;
    let message = bytes(any, 2).unwrap_or_default();
    let name = url.rsplit(|byte| *byte == b'/').next()?;
    match name {
        b"google.rpc.RetryInfo" => return duration(bytes(message, 1)?),
        b"google.rpc.QuotaFailure" => {
            for (number, value) in Fields::new(message).take(MAX_FIELDS) {
                if let (1, Value::Bytes(violation)) = (number, value) {
                    read_violation(violation, found);
                }
            }
        }
        b"google.rpc.ErrorInfo" => {
            if let Some(refusal) = bytes(message, 1).and_then(words::refusal) {
                found.push_refusal(refusal);
            }
        }
        _ => {}
    }
    None
}

fn read_violation(violation: &[u8], found: &mut Evidence) {
    let text = |number| std::str::from_utf8(bytes(violation, number)?).ok();
    if let Some(id) = text(QUOTA_ID) {
        google::push_quota_id(id, found);
    }
    if let Some(description) = text(DESCRIPTION) {
        // Waits in text are ignored: `RetryInfo` states them.
        body::read_message(description, found, &mut Hints::default());
    }
}

/// Returns the last value of a field, as protobuf requires.
fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    let values = Fields::new(message).take(MAX_FIELDS);
    let bytes = values.filter_map(|(number, value)| match value {
        Value::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    });
    bytes.last()
}

/// Reads a `google.protobuf.Duration`. Negative durations are absent.
fn duration(message: &[u8]) -> Option<Duration> {
    let (mut seconds, mut nanos) = (0, 0);
    for (number, value) in Fields::new(message).take(MAX_FIELDS) {
        match (number, value) {
            (1, Value::Varint(value)) => seconds = value,
            (2, Value::Varint(value)) => nanos = value,
            _ => {}
        }
    }
    // Negative numbers are encoded modulo 2^64.
    let seconds = u64::try_from(seconds.cast_signed()).ok()?;
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

const DESCRIPTION: u64 = 2;
const QUOTA_ID: u64 = 5;

/// The base64 of gRPC's binary metadata, where padding is optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Above the default limit of HTTP/2 implementations for all fields together.
const MAX_LEN: usize = 64 * 1024;
const MAX_FIELDS: usize = 64;
