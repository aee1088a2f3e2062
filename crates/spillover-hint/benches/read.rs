//! Benchmarks of the common cases. Target: under 200 ns each, without allocation.

use std::{hint::black_box, time::SystemTime};

use divan::{AllocProfiler, Bencher};
use http::{HeaderMap, StatusCode};
use spillover_hint::{Hints, Quotas, Report};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    // Enough calls per sample for a clock that ticks every 20 ns.
    divan::Divan::from_args().sample_size(1_000).main();
}

#[divan::bench]
fn a_200_without_hints(bencher: Bencher<'_, '_>) {
    let headers = headers(PLAIN);
    bencher.bench(|| Hints::from_headers(black_box(&headers)).choose(SystemTime::UNIX_EPOCH));
}

#[divan::bench]
fn quotas_of_a_200_without_any(bencher: Bencher<'_, '_>) {
    let headers = headers(PLAIN);
    bencher.bench(|| Quotas::from_headers(black_box(&headers)));
}

#[divan::bench]
fn quotas_of_a_200_from_openai(bencher: Bencher<'_, '_>) {
    let headers = headers(OPENAI);
    bencher.bench(|| Quotas::from_headers(black_box(&headers)));
}

#[divan::bench]
fn empty(bencher: Bencher<'_, '_>) {
    let headers = HeaderMap::new();
    bencher.bench(|| Hints::from_headers(black_box(&headers)).choose(SystemTime::UNIX_EPOCH));
}

#[divan::bench(args = [Case::RetryAfter, Case::Azure, Case::Anthropic])]
fn hints_of_a_429(bencher: Bencher<'_, '_>, case: &Case) {
    let headers = headers(case.lines());
    bencher.bench(|| Hints::from_headers(black_box(&headers)).choose(SystemTime::UNIX_EPOCH));
}

#[divan::bench(args = [Case::RetryAfter, Case::Azure, Case::Anthropic])]
fn report_of_a_429(bencher: Bencher<'_, '_>, case: &Case) {
    let headers = headers(case.lines());
    bencher.bench(|| {
        let report = Report::from_head(StatusCode::TOO_MANY_REQUESTS, black_box(&headers));
        report
            .as_ref()
            .and_then(|report| report.hint(SystemTime::UNIX_EPOCH))
    });
}

/// Reads an error body. This case is rare, and allocates.
#[divan::bench]
fn body_of_a_429(bencher: Bencher<'_, '_>) {
    let headers = headers(RETRY_AFTER);
    let report = Report::from_head(StatusCode::TOO_MANY_REQUESTS, &headers);
    let report = report.expect("a refusal");
    let bencher = bencher.with_inputs(|| report.clone());
    bencher.bench_values(|report| report.with_body(black_box(BODY.as_bytes())));
}

#[derive(Debug)]
enum Case {
    RetryAfter,
    Azure,
    Anthropic,
}

impl Case {
    fn lines(&self) -> &'static str {
        match self {
            Self::RetryAfter => RETRY_AFTER,
            Self::Azure => AZURE,
            Self::Anthropic => ANTHROPIC,
        }
    }
}

fn headers(lines: &str) -> HeaderMap {
    let lines = lines
        .lines()
        .map(|line| line.trim().split_once(": ").expect("a field"));
    lines
        .map(|(name, value)| {
            (
                name.parse().expect("a name"),
                value.parse().expect("a value"),
            )
        })
        .collect()
}

const PLAIN: &str = "content-type: application/json
    date: Wed, 25 Feb 2026 20:02:30 GMT
    content-length: 1024
    x-request-id: req_0123456789abcdef
    server: cloudflare
    cf-ray: 8f0123456789abcd-FRA
    strict-transport-security: max-age=31536000; includeSubDomains; preload
    x-content-type-options: nosniff
    alt-svc: h3=\":443\"; ma=86400
    via: 1.1 proxy";

const OPENAI: &str = "content-type: application/json
    date: Wed, 25 Feb 2026 20:02:30 GMT
    content-length: 1024
    openai-organization: an-organization
    openai-processing-ms: 812
    openai-version: 2020-10-01
    x-ratelimit-limit-requests: 10000
    x-ratelimit-limit-tokens: 200000
    x-ratelimit-remaining-requests: 9999
    x-ratelimit-remaining-tokens: 199985
    x-ratelimit-reset-requests: 8.64s
    x-ratelimit-reset-tokens: 4ms
    x-request-id: req_0123456789abcdef
    strict-transport-security: max-age=31536000; includeSubDomains; preload
    server: cloudflare
    alt-svc: h3=\":443\"; ma=86400";

const RETRY_AFTER: &str = "content-type: application/json
    date: Wed, 25 Feb 2026 20:02:30 GMT
    content-length: 128
    retry-after: 26
    x-request-id: req_0123456789abcdef
    server: cloudflare
    strict-transport-security: max-age=31536000; includeSubDomains; preload";

const AZURE: &str = "content-type: application/json
    date: Wed, 25 Feb 2026 20:02:30 GMT
    content-length: 333
    retry-after: 1
    retry-after-ms: 0
    x-ratelimit-limit-requests: 1000
    x-ratelimit-limit-tokens: 100000
    x-ratelimit-remaining-requests: 993
    x-ratelimit-remaining-tokens: 0
    x-ratelimit-renewalperiod-requests: 10
    x-ratelimit-renewalperiod-tokens: 60
    x-ratelimit-reset-requests: 4
    x-ratelimit-reset-tokens: 43
    x-ratelimit-type: Tokens
    policy-id: DeploymentRatelimit-Token
    apim-request-id: 0f0f0f0f-0000-1111-2222-333333333333
    x-ms-region: East US 2
    strict-transport-security: max-age=31536000; includeSubDomains; preload
    x-content-type-options: nosniff";

const ANTHROPIC: &str = "content-type: application/json
    date: Wed, 25 Feb 2026 20:02:30 GMT
    content-length: 333
    anthropic-ratelimit-requests-limit: 50
    anthropic-ratelimit-requests-remaining: 49
    anthropic-ratelimit-requests-reset: 2026-02-25T20:02:32Z
    anthropic-ratelimit-tokens-limit: 38000
    anthropic-ratelimit-tokens-remaining: 8000
    anthropic-ratelimit-tokens-reset: 2026-02-25T20:02:36Z
    anthropic-ratelimit-input-tokens-limit: 30000
    anthropic-ratelimit-input-tokens-remaining: 0
    anthropic-ratelimit-input-tokens-reset: 2026-02-25T20:02:37Z
    anthropic-ratelimit-output-tokens-limit: 8000
    anthropic-ratelimit-output-tokens-remaining: 8000
    anthropic-ratelimit-output-tokens-reset: 2026-02-25T20:02:36Z
    retry-after: 7
    x-should-retry: true
    request-id: req_0123456789abcdef
    server: cloudflare
    cf-ray: 8f0123456789abcd-FRA";

const BODY: &str = r#"{
    "error": {
        "message": "Rate limit reached for gpt-4o in organization org-0123456789abcdef on tokens per min (TPM): Limit 30000, Used 29411, Requested 1162. Please try again in 1.146s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "type": "tokens",
        "param": null,
        "code": "rate_limit_exceeded"
    }
}"#;
