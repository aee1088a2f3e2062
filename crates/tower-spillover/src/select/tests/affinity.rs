//! Requests with an `Affinity` in their extensions.

use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_ok, task};

use super::*;

/// Creates a request with this affinity.
fn request_with(affinity: Affinity, attempts: &Attempts) -> Request<()> {
    let mut request = request(attempts);
    request.extensions_mut().insert(affinity);
    request
}

/// Returns the label of the backend that answers, or the wait of the refusal.
async fn answer(pool: &Pool, when_exhausted: WhenExhausted, affinity: Affinity) -> String {
    let layer = PrioritySelectLayer::new(pool.clone()).when_exhausted(when_exhausted);
    let request = request_with(affinity, &Attempts::new());
    let response = layer.layer(labels()).oneshot(request).await.unwrap();
    match response.headers().get("retry-after-ms") {
        Some(ms) => ms.to_str().unwrap().to_owned(),
        None => response.into_body(),
    }
}

const REJECT: WhenExhausted = WhenExhausted::Reject;

#[tokio::test(start_paused = true)]
async fn session_returns_to_its_backend_after_a_throttle() {
    let pool = pool([("a", 1), ("b", 1), ("c", 1), ("d", 2)]);
    let session = Affinity::by_key("session 7");
    let home = answer(&pool, REJECT, session).await;
    for _ in 0..50 {
        assert_eq!(answer(&pool, REJECT, session).await, home);
    }
    let index = ["a", "b", "c"].iter().position(|label| *label == home);
    throttle(&pool, index.unwrap(), 2 * SECOND);
    let second = answer(&pool, REJECT, session).await;
    assert!(second != home && second != "d");
    advance(SECOND).await;
    assert_eq!(answer(&pool, REJECT, session).await, second);
    advance(SECOND).await;
    assert_eq!(answer(&pool, REJECT, session).await, home);
}

#[tokio::test(start_paused = true)]
async fn sessions_are_distributed_over_the_backends_of_the_first_tier() {
    let pool = pool([("a", 1), ("b", 1), ("c", 2)]);
    let mut seen = std::collections::HashSet::new();
    for session in 0..50_u8 {
        seen.insert(answer(&pool, REJECT, Affinity::by_key([session])).await);
    }
    assert_eq!(seen, ["a", "b"].map(Into::into).into());
}

#[tokio::test(start_paused = true)]
async fn request_with_a_label_is_sent_to_that_backend() {
    let pool = pool([("a", 1), ("b", 2)]);
    assert_eq!(answer(&pool, REJECT, Affinity::to_backend("b")).await, "b");
    assert_eq!(
        answer(&pool, REJECT, Affinity::to_backend("gone").pinned()).await,
        "a"
    );
    throttle(&pool, 1, SECOND);
    assert_eq!(answer(&pool, REJECT, Affinity::to_backend("b")).await, "a");
    assert_eq!(
        answer(&pool, REJECT, Affinity::to_backend("b").pinned()).await,
        "1000"
    );
}

#[tokio::test(start_paused = true)]
async fn pinned_request_is_rejected_or_forwarded_while_its_backend_is_closed() {
    let pool = pool([("a", 1), ("b", 2), ("c", 3)]);
    throttle(&pool, 1, 5 * SECOND);
    throttle(&pool, 2, SECOND);
    let pinned = Affinity::to_backend("b").pinned();
    assert_eq!(answer(&pool, REJECT, pinned).await, "5000");
    assert_eq!(answer(&pool, WhenExhausted::Forward, pinned).await, "b");
    let too_short = WhenExhausted::Wait(4 * SECOND);
    assert_eq!(answer(&pool, too_short, pinned).await, "5000");
}

#[tokio::test(start_paused = true)]
async fn pinned_request_waits_until_its_backend_opens() {
    let pool = pool([("a", 1), ("b", 2)]);
    throttle(&pool, 1, 5 * SECOND);
    let layer = PrioritySelectLayer::new(pool.clone());
    let layer = layer.when_exhausted(WhenExhausted::Wait(9 * SECOND));
    let attempts = Attempts::new();
    let request = request_with(Affinity::to_backend("b").pinned(), &attempts);
    let mut sent = task::spawn(layer.layer(labels()).oneshot(request));
    assert_pending!(sent.poll());
    advance(5 * SECOND - Duration::from_millis(1)).await;
    assert_pending!(sent.poll());
    advance(Duration::from_millis(1)).await;
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).into_body(), "b");
    assert_eq!(attempts.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn pinned_request_waits_for_a_permit_of_its_backend() {
    let backend = |label: &str, priority| {
        let builder = Backend::builder(label).url("http://upstream.example");
        let builder = builder.priority(priority).max_concurrency(1);
        builder.build().unwrap()
    };
    let pool = Pool::new([backend("a", 1), backend("b", 2)]).unwrap();
    let pinned = Affinity::to_backend("b").pinned();
    let query = Query::new().affinity(pinned);
    let held = pool.first(&query, Instant::now()).unwrap();
    assert_eq!(answer(&pool, WhenExhausted::Forward, pinned).await, "1000");

    let layer = PrioritySelectLayer::new(pool.clone());
    let layer = layer.when_exhausted(WhenExhausted::Wait(9 * SECOND));
    let request = request_with(pinned, &Attempts::new());
    let mut sent = task::spawn(layer.layer(labels()).oneshot(request));
    assert_pending!(sent.poll());
    held.release();
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).into_body(), "b");
}

#[tokio::test(start_paused = true)]
async fn refused_pinned_request_is_not_sent_to_another_backend() {
    let pool = pool([("a", 1), ("b", 2)]);
    let refusing = Probe::new(|request: Request<()>| async move {
        let outcome = Outcome::throttled(7 * SECOND);
        selected(request.extensions()).record(&outcome, Instant::now());
        let refused = Response::builder().status(429).header("retry-after", "77");
        Ok::<_, Infallible>(refused.body("refused".to_owned()).unwrap())
    });
    let handle = refusing.handle();
    let service = PrioritySelectLayer::new(pool).layer(refusing);
    let attempts = Attempts::new();
    let request = || request_with(Affinity::to_backend("b").pinned(), &attempts);
    let response = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (429, "refused")
    );
    assert!(selected(response.extensions()).is_pinned());
    // The wait is that of the pinned backend, although the other one is open.
    assert_eq!(response.headers()["retry-after-ms"], "7000");
    let exhausted: &Exhausted = response.extensions().get().unwrap();
    assert_eq!(exhausted.reopens_in(), 7 * SECOND);
    assert!(attempts.is_exhausted());

    // Another attempt of the request is rejected.
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!((handle.calls(), attempts.count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn pinned_request_is_marked_as_exhausted_while_it_is_in_flight() {
    let pool = pool([("a", 1), ("b", 2)]);
    let slow = Probe::new(|_: Request<()>| async move {
        tokio::time::sleep(SECOND).await;
        Ok::<_, Infallible>(Response::new("served".to_owned()))
    });
    let service = PrioritySelectLayer::new(pool).layer(slow);
    let pinned = Affinity::to_backend("b").pinned();
    for (affinity, has_no_other) in [
        (pinned, true),
        (Affinity::to_backend("b"), false),
        (Affinity::by_key("session 7"), false),
        (Affinity::to_backend("gone").pinned(), false),
    ] {
        let attempts = Attempts::new();
        let request = request_with(affinity, &attempts);
        let mut sent = task::spawn(service.clone().oneshot(request));
        assert_pending!(sent.poll());
        assert_eq!(attempts.is_exhausted(), has_no_other, "{affinity:?}");
        advance(SECOND).await;
        assert_ready_ok!(sent.poll());
        assert_eq!(attempts.is_exhausted(), has_no_other, "{affinity:?}");
    }
}
