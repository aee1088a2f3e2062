//! Another configuration in place of the one before.

use super::*;
use crate::client_keys::counts::ClientCounts;

async fn status(keys: &Arc<KeyRing>, secret: &str) -> u16 {
    Entry::of(keys, bearer(secret)).await.status()
}

#[tokio::test(start_paused = true)]
async fn keys_come_and_go() {
    let before = KeyRing::new(&clients([key("one", "k1"), key("two", "k2")]));
    let after = before.reloaded(&clients([key("two", "k2"), key("three", "k3")]));
    assert_eq!(status(&after, "k1").await, 401);
    assert_eq!(status(&after, "k2").await, 200);
    assert_eq!(status(&after, "k3").await, 200);
    let open = after.reloaded(&clients([]));
    assert_eq!(status(&open, "k1").await, 200);
}

#[tokio::test(start_paused = true)]
async fn key_that_stays_goes_on_where_it_was_in_its_minute() {
    let before = KeyRing::new(&clients([limited("one", "k1", 1)]));
    assert_eq!(status(&before, "k1").await, 200);

    let renamed = before.reloaded(&clients([key("new", "k2"), limited("other", "k1", 1)]));
    assert_eq!(status(&renamed, "k1").await, 429);
    let raised = renamed.reloaded(&clients([limited("one", "k1", 2)]));
    assert_eq!(status(&raised, "k1").await, 200);
    assert_eq!(status(&raised, "k1").await, 200);
    assert_eq!(status(&raised, "k1").await, 429);
    let lifted = raised.reloaded(&clients([key("one", "k1")]));
    assert_eq!(status(&lifted, "k1").await, 200);
}

#[tokio::test(start_paused = true)]
async fn name_that_stays_goes_on_counting() {
    let before = KeyRing::new(&clients([key("one", "k1"), key("two", "k2")]));
    for secret in ["k1", "k1", "k2", "wrong"] {
        status(&before, secret).await;
    }
    // While it is replaced, a name has both of its keys.
    let both = [key("one", "k1"), key("one", "k9"), key("three", "k3")];
    let after = before.reloaded(&clients(both));
    for secret in ["k1", "k9", "wrong"] {
        status(&after, secret).await;
    }
    // Requests of the earlier ring count as well.
    status(&before, "k1").await;
    let counts = after.snapshot();
    let requests = |name: &str, requests| ClientCounts {
        name: name.into(),
        requests,
        rate_limited: 0,
    };
    assert_eq!(counts.clients, [requests("one", 5), requests("three", 0)]);
    assert_eq!(counts.unauthorized, 2);
}
