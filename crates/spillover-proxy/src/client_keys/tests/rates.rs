//! How often a client may come.

use std::{thread, time::Duration};

use tokio::time::advance;

use super::*;
use crate::client_keys::rate::Rate;

async fn come(keys: &Arc<KeyRing>, secret: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(Entry::of(keys, bearer(secret)).await.status());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn minutes_requests_may_come_at_once_and_then_one_by_one() {
    let keys = KeyRing::new(&clients([limited("one", "k1", 3)]));
    assert_eq!(come(&keys, "k1", 5).await, [200, 200, 200, 429, 429]);
    advance(Duration::from_millis(19_999)).await;
    assert_eq!(come(&keys, "k1", 1).await, [429]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(come(&keys, "k1", 2).await, [200, 429]);
    advance(Duration::from_secs(600)).await;
    assert_eq!(come(&keys, "k1", 4).await, [200, 200, 200, 429]);

    let counts = keys.snapshot();
    let client = &counts.clients[0];
    assert_eq!((client.requests, client.rate_limited), (7, 5));
    assert_eq!(counts.unauthorized, 0);
}

#[tokio::test(start_paused = true)]
async fn rate_limited_client_gets_429_with_retry_after() {
    let keys = KeyRing::new(&clients([limited("one", "k1", 60)]));
    come(&keys, "k1", 60).await;
    advance(Duration::from_micros(999_500)).await;
    let refused = Entry::of(&keys, bearer("k1")).await;
    assert_eq!(
        (refused.status(), refused.field("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(refused.field("retry-after-ms"), Some("1"));
    assert_eq!(refused.field("x-should-retry"), Some("true"));
    assert!(refused.request.is_none());
    let error = refused.json().await;
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    assert_eq!(
        error["error"]["message"],
        "one is at its limit of 60 requests per minute. Please retry after 1 seconds."
    );

    let keys = KeyRing::new(&clients([limited("one", "k1", 1)]));
    come(&keys, "k1", 1).await;
    advance(Duration::from_millis(500)).await;
    let refused = Entry::of(&keys, bearer("k1")).await;
    assert_eq!(refused.field("retry-after"), Some("60"));
    assert_eq!(refused.field("retry-after-ms"), Some("59500"));
}

#[tokio::test(start_paused = true)]
async fn grpc_call_that_comes_too_often_is_pushed_back() {
    let keys = KeyRing::new(&clients([limited("one", "k1", 1)]));
    let call = || request(&[("content-type", "application/grpc"), ("api-key", "k1")]);
    Entry::of(&keys, call()).await;
    let refused = Entry::of(&keys, call()).await;
    assert_eq!(
        (refused.status(), refused.field("grpc-status")),
        (200, Some("8"))
    );
    assert_eq!(refused.field("grpc-retry-pushback-ms"), Some("60000"));
    assert_eq!(refused.field("retry-after"), None);
}

#[tokio::test(start_paused = true)]
async fn each_key_has_a_minute_of_its_own() {
    let keys = [
        limited("one", "k1", 1),
        limited("two", "k2", 2),
        key("three", "k3"),
    ];
    let keys = KeyRing::new(&clients(keys));
    assert_eq!(come(&keys, "k1", 2).await, [200, 429]);
    assert_eq!(come(&keys, "k2", 3).await, [200, 200, 429]);
    assert_eq!(come(&keys, "k3", 100).await, [200; 100]);
}

#[test]
fn threads_share_the_minute() {
    let rate = Rate::new(NonZeroU32::new(1000).unwrap());
    let come = || (0..500).filter(|_| rate.check().is_ok()).count();
    let let_in: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(come)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    // The clock runs: each 60 ms one more may come.
    assert!((1000..1500).contains(&let_in), "{let_in}");
}

#[tokio::test(start_paused = true)]
async fn largest_limit_limits_nothing() {
    let keys = KeyRing::new(&clients([limited("one", "k1", u32::MAX)]));
    assert_eq!(come(&keys, "k1", 50).await, [200; 50]);
}
