use std::time::Duration;

use super::*;
use crate::limit::{Payg, Ptu};

#[tokio::test]
async fn admitted_request_reports_remaining_tokens_and_refused_request_the_wait() {
    let upstream = MockUpstream::builder()
        .limit(Payg::new(1_000))
        .start()
        .await
        .unwrap();
    let caller = Caller::new(&upstream);

    let admitted = caller.chat(hello()).await;
    assert_eq!(admitted.headers["x-ratelimit-remaining-tokens"], "742");
    assert_eq!(admitted.headers["x-ratelimit-remaining-requests"], "0");

    let refused = caller.chat(hello()).await;
    assert_eq!(refused.status, 429);
    let seconds = refused.headers["retry-after"].to_str().unwrap();
    assert_eq!(refused.headers["x-ratelimit-reset-requests"], seconds);
    assert!(!refused.headers.contains_key("retry-after-ms"));
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "429");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.ends_with(&format!("Please retry after {seconds} seconds.")),
        "{message}"
    );

    let stats = upstream.handle().stats();
    assert_eq!((stats.served, stats.throttled, stats.in_flight), (1, 1, 0));
}

#[tokio::test]
async fn bucket_level_is_corrected_by_the_output_tokens() {
    let upstream = MockUpstream::builder()
        .limit(Ptu::new(1).capacity(100))
        .reply("one")
        .start()
        .await
        .unwrap();
    let caller = Caller::new(&upstream);
    let percent = |answer: &Answer| {
        let value = answer.headers["azure-openai-deployment-utilization"]
            .to_str()
            .unwrap();
        value.strip_suffix('%').unwrap().parse::<f64>().unwrap()
    };
    // The level rises by 2 + 3 * 256 at arrival, and is corrected to 2 + 3 * 1 at the end.
    let first = caller.chat(hello()).await;
    assert!((769.0..=770.0).contains(&percent(&first)));
    upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert!(percent(&caller.chat(hello()).await) < 776.0);
}

#[tokio::test]
async fn full_bucket_states_the_wait_in_milliseconds() {
    let upstream = MockUpstream::builder()
        .limit(Ptu::new(1_000).capacity(1))
        .start()
        .await
        .unwrap();
    let caller = Caller::new(&upstream);
    let request = json!({"messages": [{"content": "x".repeat(40_000)}], "max_tokens": 0});
    assert_eq!(caller.chat(request.clone()).await.status, 200);

    let refused = caller.chat(request).await;
    assert_eq!(refused.status, 429);
    let number = |name: &str| {
        refused.headers[name]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!((5_000..10_000).contains(&number("retry-after-ms")));
    assert_eq!(
        number("retry-after"),
        number("retry-after-ms").div_ceil(1_000)
    );
    assert!(!refused.headers.contains_key("x-ratelimit-reset-tokens"));
}

#[tokio::test]
async fn latency_delays_admitted_requests() {
    let upstream = MockUpstream::builder()
        .limit(Payg::new(1))
        .latency(Duration::from_secs(60))
        .start()
        .await
        .unwrap();
    let caller = Caller::new(&upstream);
    tokio::select! {
        _ = caller.chat(hello()) => unreachable!("the response takes a minute"),
        refused = async {
            upstream.handle().wait_for(|stats| stats.received == 1).await;
            caller.chat(hello()).await
        } => assert_eq!(refused.status, 429),
    }
    let stats = upstream
        .handle()
        .wait_for(|stats| stats.in_flight == 0)
        .await;
    assert_eq!((stats.cancelled, stats.throttled), (1, 1));
}

#[tokio::test]
async fn deployment_has_its_own_limit() {
    let upstream = MockUpstream::builder()
        .limit(Payg::new(1_000_000))
        .deployment("small", Payg::new(1))
        .start()
        .await
        .unwrap();
    let caller = Caller::new(&upstream);
    let path = "/openai/deployments/small/chat/completions?api-version=1";
    assert_eq!(caller.post(path, hello().to_string()).await.status, 200);
    assert_eq!(caller.post(path, hello().to_string()).await.status, 429);
    assert_eq!(caller.chat(hello()).await.status, 200);
    let mut named = hello();
    named["model"] = json!("small");
    assert_eq!(caller.chat(named).await.status, 429);
}

#[tokio::test]
async fn limit_is_set_and_cleared_at_runtime() {
    let upstream = upstream().await;
    let caller = Caller::new(&upstream);
    assert!(
        !caller
            .chat(hello())
            .await
            .headers
            .contains_key("x-ratelimit-remaining-tokens")
    );
    upstream.handle().set_limit(Payg::new(1));
    assert_eq!(caller.chat(hello()).await.status, 200);
    assert_eq!(caller.chat(hello()).await.status, 429);
    upstream.handle().clear_limit();
    assert_eq!(caller.chat(hello()).await.status, 200);
}
