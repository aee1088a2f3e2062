//! Reads a `google.rpc.Status`, raw and in base64, with the message beside it.

#![no_main]

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use spillover_hint::Report;

fuzz_target!(|data: &[u8]| {
    let encoded = STANDARD_NO_PAD.encode(data);
    for details in [encoded.as_bytes(), data] {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("8"));
        if let Ok(value) = HeaderValue::from_bytes(details) {
            trailers.insert("grpc-status-details-bin", value.clone());
            trailers.insert("grpc-message", value.clone());
            trailers.insert("grpc-retry-pushback-ms", value);
        }
        let report = Report::from_trailers(&trailers).expect("a refusal");
        assert!(
            report
                .cause()
                .is_none_or(|cause| cause.chars().count() <= 300)
        );
        assert!(report.hints().iter().count() <= 16);
        let hint = report.hint(SystemTime::UNIX_EPOCH);
        // The message may say that the request is too large; then no wait counts.
        let has_wait = report.refusal().cools() && !report.hints().is_empty();
        assert_eq!(hint.is_some(), has_wait);
    }
});
