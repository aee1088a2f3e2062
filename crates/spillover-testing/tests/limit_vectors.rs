//! Checks the limit models against recorded decisions of an independent simulation of the same models.
//!
//! The first line of each file in `vectors/` has the parameters. Each following line is an event, with the expected
//! answer for a request.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;
use spillover_testing::limit::{Limit, Payg, Ptu};

#[test]
fn payg_fixed_window_matches_the_vectors() {
    check(include_str!("vectors/payg_fixed.jsonl"));
}

#[test]
fn payg_fixed_window_of_requests_per_second_matches_the_vectors() {
    check(include_str!("vectors/payg_fixed_1s.jsonl"));
}

#[test]
fn payg_sliding_window_matches_the_vectors() {
    check(include_str!("vectors/payg_sliding.jsonl"));
}

#[test]
fn ptu_bucket_matches_the_vectors() {
    check(include_str!("vectors/ptu.jsonl"));
}

fn check(vectors: &str) {
    let mut lines = vectors
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut limit = limit(&lines.next().unwrap());
    let mut max_tokens = Vec::new();
    let mut events = 0;
    for event in lines {
        events += 1;
        let now = Duration::from_micros(int(&event["t_us"]));
        if event["op"] == "finish" {
            let max_tokens = max_tokens[usize::try_from(int(&event["id"])).unwrap()];
            limit.finish(now, max_tokens, int(&event["output_tokens"]));
            continue;
        }
        // A window counts the estimate at arrival. A bucket counts the prompt.
        let prompt = match limit {
            Limit::Ptu(_) => int(&event["prompt_tokens"]),
            _ => int(&event["prompt_estimate"]),
        };
        max_tokens.push(int(&event["max_tokens"]));
        let (status, headers) = match limit.admit(now, prompt, int(&event["max_tokens"])) {
            Ok(admitted) => (200, admitted.headers()),
            Err(refused) => (429, refused.headers()),
        };
        assert_eq!(int(&event["status"]), status, "{event}");
        assert_headers(&headers, &event);
    }
    assert!(events >= 260, "only {events} events");
}

fn assert_headers(headers: &HeaderMap, event: &Value) {
    let expected = event["headers"].as_object().unwrap();
    assert_eq!(headers.len(), expected.len(), "{headers:?} {event}");
    for (name, value) in expected {
        let actual = headers[name].to_str().unwrap();
        let expected = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_f64() => format!("{:.1}%", number.as_f64().unwrap()),
            other => other.to_string(),
        };
        assert_eq!(actual, expected, "{name} {event}");
    }
}

fn limit(params: &Value) -> Limit {
    let float = |name: &str| params[name].as_f64().unwrap();
    let small = |name: &str| u32::try_from(int(&params[name])).unwrap();
    if params["model"] == "ptu" {
        let ptu = Ptu::new(small("drain_per_s")).capacity(small("capacity"));
        return ptu.into();
    }
    let payg = Payg::new(int(&params["tpm"]))
        .rpm(int(&params["rpm"]))
        .request_window(Duration::from_secs(int(&params["request_window_s"])));
    if params["sliding"] == true {
        payg.sliding().into()
    } else {
        let phase = |name| Duration::from_secs_f64(float(name));
        payg.fixed(phase("token_phase_s"), phase("request_phase_s"))
            .into()
    }
}

fn int(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
