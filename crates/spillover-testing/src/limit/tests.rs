use std::time::Duration;

use super::*;

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

#[test]
fn request_above_the_limit_is_admitted_in_an_empty_window_only() {
    let mut limit = Payg::new(1_000);
    let admitted = limit.admit(secs(0.0), 5_000, 0).unwrap();
    assert_eq!(admitted.remaining_tokens, Some(0));
    assert!(limit.admit(secs(59.9), 1, 0).is_err());
    assert!(limit.admit(secs(60.0), 1, 0).is_ok());
    assert_eq!(limit.admit(secs(61.0), 5_000, 0).unwrap_err().seconds(), 59);
}

#[test]
fn dimension_with_the_longer_wait_is_reported() {
    let mut limit = Payg::new(1_000).rpm(6);
    limit.admit(secs(0.0), 600, 0).unwrap();
    let refused = limit.admit(secs(1.0), 1, 0).unwrap_err();
    assert_eq!(
        (refused.dimension, refused.seconds()),
        (Dimension::Requests, 9)
    );
    let refused = limit.admit(secs(1.0), 600, 0).unwrap_err();
    assert_eq!(
        (refused.dimension, refused.seconds()),
        (Dimension::Tokens, 59)
    );
    assert_eq!(refused.headers()["x-ratelimit-reset-tokens"], "59");
    assert!(!refused.headers().contains_key("x-ratelimit-reset-requests"));
}

#[test]
fn fixed_window_starts_at_its_phase() {
    let mut limit = Payg::new(1_000).fixed(secs(20.0), secs(3.0));
    limit.admit(secs(0.0), 1_000, 0).unwrap();
    assert_eq!(limit.admit(secs(4.5), 1, 0).unwrap_err().wait, secs(15.5));
    assert!(limit.admit(secs(20.0), 1, 0).is_ok());
}

#[test]
fn sliding_window_frees_the_oldest_request_first() {
    let mut limit = Payg::new(1_000).sliding();
    limit.admit(secs(0.0), 400, 0).unwrap();
    limit.admit(secs(30.0), 500, 0).unwrap();
    assert_eq!(
        limit.admit(secs(40.0), 300, 0).unwrap_err().wait,
        secs(20.0)
    );
    assert_eq!(
        limit.admit(secs(40.0), 900, 0).unwrap_err().wait,
        secs(50.0)
    );
    let admitted = limit.admit(secs(60.0), 300, 0).unwrap();
    assert_eq!(admitted.remaining_tokens, Some(200));
}

#[test]
fn shorter_window_has_a_proportional_limit() {
    let mut limit = Payg::new(6_000).token_window(secs(1.0));
    assert_eq!(
        limit.admit(secs(0.0), 40, 0).unwrap().remaining_tokens,
        Some(60)
    );
    assert_eq!(limit.admit(secs(0.25), 90, 0).unwrap_err().wait, secs(0.75));
    assert_eq!(limit.admit(secs(0.25), 90, 0).unwrap_err().seconds(), 1);
    assert!(limit.admit(secs(1.0), 90, 0).is_ok());
}

#[test]
fn limit_below_one_per_window_admits_one_request() {
    let mut limit = Payg::new(1).rpm(1).request_window(secs(1.0));
    assert_eq!(
        limit.admit(secs(0.0), 1, 0).unwrap().remaining_requests,
        Some(0)
    );
}

#[test]
fn bucket_admits_until_its_level_exceeds_the_capacity() {
    let mut limit = Ptu::new(100).capacity(1_000);
    let admitted = limit.admit(secs(0.0), 400, 200).unwrap();
    assert_eq!(
        admitted.headers()["azure-openai-deployment-utilization"],
        "100.0%"
    );
    let admitted = limit.admit(secs(0.0), 250, 0).unwrap();
    assert_eq!(admitted.utilization, Some(125.0));

    let refused = limit.admit(secs(1.0), 1, 0).unwrap_err();
    assert_eq!(refused.headers()["retry-after-ms"], "1500");
    assert_eq!(refused.headers()["retry-after"], "2");

    limit.finish(secs(1.0), 200, 100);
    assert_eq!(
        limit.admit(secs(1.0), 0, 0).unwrap().utilization,
        Some(85.0)
    );
}

#[test]
fn time_that_goes_backwards_does_not_panic() {
    for limit in [
        Limit::from(Payg::new(1_000)),
        Payg::new(1_000).sliding().into(),
        Ptu::new(10).into(),
    ] {
        let mut limit = limit;
        limit.admit(secs(90.0), 1_000, 0).unwrap();
        let _ = limit.admit(secs(5.0), 1_000, 0);
        limit.finish(secs(1.0), 10, 0);
    }
}
