//! Backends with a limit of requests in flight.

use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::util::Oneshot;

use super::*;

type Held = Probe<(), Selected, Infallible>;

/// Creates a pool of backends, given as `(label, priority)`. Each allows one request at a time.
fn pool<const N: usize>(backends: [(&str, u32); N]) -> Pool {
    let build = |(label, priority): (&str, u32)| {
        let builder = Backend::builder(label).url("http://upstream.example");
        builder
            .priority(priority)
            .max_concurrency(1)
            .build()
            .unwrap()
    };
    Pool::new(backends.map(build)).unwrap()
}

/// Creates a service that answers with the `Selected`, which keeps the request in flight.
fn held() -> Held {
    Probe::new(|request: Request<()>| async move {
        Ok(Response::new(selected(request.extensions()).clone()))
    })
}

fn layer(pool: &Pool, when_exhausted: WhenExhausted) -> PrioritySelectLayer<ThreadDraw, Reject> {
    PrioritySelectLayer::new(pool.clone())
        .when_exhausted(when_exhausted)
        .with_exhausted_response(reject)
}

type Reject = fn(&Exhausted, &http::request::Parts) -> Response<Selected>;

/// Returns a rejection. Its body is a `Selected` of another pool, since the type has no empty value.
fn reject(_: &Exhausted, _: &http::request::Parts) -> Response<Selected> {
    let elsewhere = super::pool([("none", 1)]);
    let selected = elsewhere.first(&Query::new(), Instant::now());
    let response = Response::builder().status(429);
    response
        .body(selected.expect("the backend is not full"))
        .unwrap()
}

type Sent = task::Spawn<Oneshot<PrioritySelect<Held, ThreadDraw, Reject>, Request<()>>>;

fn waiting(pool: &Pool, bound: Duration) -> Sent {
    let service = layer(pool, WhenExhausted::Wait(bound)).layer(held());
    task::spawn(service.oneshot(request(&Attempts::new())))
}

/// Sends a request to the first open backend, and keeps it in flight.
async fn occupy(pool: &Pool) -> Selected {
    let service = layer(pool, WhenExhausted::Reject).layer(held());
    let response = service.oneshot(request(&Attempts::new())).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

#[tokio::test(start_paused = true)]
async fn full_backend_is_passed_over() {
    let pool = pool([("a", 1), ("b", 2)]);
    let (first, second) = (occupy(&pool).await, occupy(&pool).await);
    assert_eq!((first.index(), second.index()), (0, 1));
    first.release();
    assert_eq!(occupy(&pool).await.index(), 0);
}

#[tokio::test(start_paused = true)]
async fn request_is_rejected_instead_of_forwarded_when_all_backends_are_full() {
    let pool = pool([("a", 1), ("b", 2)]);
    let [_one, _two] = [occupy(&pool).await, occupy(&pool).await];
    for when_exhausted in [WhenExhausted::Forward, WhenExhausted::Reject] {
        let inner = held();
        let handle = inner.handle();
        let attempts = Attempts::new();
        let service = layer(&pool, when_exhausted).layer(inner);
        let response = service.oneshot(request(&attempts)).await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after-ms"], "1000");
        assert!(attempts.is_exhausted());
        assert_eq!((handle.calls(), attempts.count()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn request_is_forwarded_to_the_first_backend_that_is_not_full() {
    let pool = pool([("a", 1), ("b", 2)]);
    let _one = occupy(&pool).await;
    throttle(&pool, 1, 9 * SECOND);
    let service = layer(&pool, WhenExhausted::Forward).layer(held());
    let response = service.oneshot(request(&Attempts::new())).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().index()),
        (200, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_request_is_served_when_a_permit_is_free() {
    let pool = pool([("a", 1)]);
    let one = occupy(&pool).await;
    // The limit is below the estimated wait, but a permit may become free at any time.
    let mut sent = waiting(&pool, SECOND / 2);
    assert_pending!(sent.poll());
    tokio::time::advance(SECOND / 4).await;
    assert!(!sent.is_woken());
    one.release();
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).status(), 200);
}

#[tokio::test(start_paused = true)]
async fn request_is_rejected_when_its_wait_ends() {
    let pool = pool([("a", 1)]);
    let _one = occupy(&pool).await;
    let start = Instant::now();
    let service = layer(&pool, WhenExhausted::Wait(SECOND * 5 / 2)).layer(held());
    let response = service.oneshot(request(&Attempts::new())).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(Instant::now() - start, SECOND * 5 / 2);
}

#[tokio::test(start_paused = true)]
async fn free_permit_wakes_one_request_and_a_dropped_request_hands_it_off() {
    let pool = pool([("a", 1)]);
    let one = occupy(&pool).await;
    let mut waiting: Vec<_> = (0..4).map(|_| waiting(&pool, 9 * SECOND)).collect();
    waiting
        .iter_mut()
        .for_each(|sent| assert_pending!(sent.poll()));
    let woken = |waiting: &[Sent]| waiting.iter().filter(|sent| sent.is_woken()).count();

    one.release();
    assert_eq!(woken(&waiting), 1);
    assert!(waiting[0].is_woken());
    drop(waiting.remove(0));
    assert_eq!(woken(&waiting), 1);

    // Another request acquires the permit first: the woken request waits on, and wakes no other.
    let other = occupy(&pool).await;
    assert_pending!(waiting[0].poll());
    assert_eq!(woken(&waiting), 0);
    other.release();
    assert!(waiting[0].is_woken() && !waiting[1].is_woken());
    let response = assert_ready_ok!(waiting[0].poll());
    assert_eq!(response.body().index(), 0);
}

#[tokio::test(start_paused = true)]
async fn free_permit_of_a_throttled_scope_is_handed_off_to_another_scope() {
    let pool = pool([("a", 1)]);
    let one = occupy(&pool).await;
    let throttled = Scope::named("throttled");
    let mut sent: Vec<_> = [throttled, throttled, Scope::named("other")]
        .into_iter()
        .map(|scope| {
            let service = layer(&pool, WhenExhausted::Wait(9 * SECOND)).layer(held());
            let mut request = request(&Attempts::new());
            request.extensions_mut().insert(scope);
            let mut sent = task::spawn(service.oneshot(request));
            assert_pending!(sent.poll());
            sent
        })
        .collect();
    one.release();
    let refused = pool.select(&Query::new().scope(throttled), Instant::now(), 0);
    let refused = refused.expect("the backend is not full");
    refused.record(&Outcome::throttled(5 * SECOND), Instant::now());
    refused.release();

    assert!(sent[0].is_woken());
    assert_pending!(sent[0].poll());
    // The second request of the throttled scope is not woken.
    assert!(!sent[1].is_woken());
    assert!(sent[2].is_woken());
    assert_eq!(assert_ready_ok!(sent[2].poll()).status(), 200);
}

#[tokio::test(start_paused = true)]
async fn request_waits_for_a_full_backend_before_it_uses_a_failing_one() {
    let pool = pool([("fails", 1), ("full", 2)]);
    record(&pool, 0, Outcome::failing(9 * SECOND));
    let one = occupy(&pool).await;
    assert_eq!(one.index(), 1);
    let mut sent = waiting(&pool, 5 * SECOND);
    assert_pending!(sent.poll());
    tokio::time::advance(SECOND).await;
    assert_pending!(sent.poll());
    one.release();
    assert!(sent.is_woken());
    assert_eq!(assert_ready_ok!(sent.poll()).body().index(), 1);
}

#[tokio::test(start_paused = true)]
async fn failing_backend_is_used_when_the_wait_for_a_full_one_ends() {
    let pool = pool([("fails", 1), ("full", 2)]);
    record(&pool, 0, Outcome::failing(9 * SECOND));
    let _one = occupy(&pool).await;
    let start = Instant::now();
    let service = layer(&pool, WhenExhausted::Wait(SECOND)).layer(held());
    let response = service.oneshot(request(&Attempts::new())).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().index()),
        (200, 0)
    );
    assert_eq!(Instant::now() - start, SECOND);
}

#[tokio::test(start_paused = true)]
async fn failing_backend_is_used_at_once_if_no_backend_is_full() {
    let pool = pool([("fails", 1), ("throttled", 2)]);
    record(&pool, 0, Outcome::failing(9 * SECOND));
    record(&pool, 1, Outcome::throttled(SECOND));
    let mut sent = waiting(&pool, 5 * SECOND);
    assert_eq!(assert_ready_ok!(sent.poll()).body().index(), 0);
}

#[tokio::test(start_paused = true)]
async fn permit_released_before_the_first_poll_is_acquired() {
    let pool = pool([("a", 1)]);
    let one = occupy(&pool).await;
    let mut service = layer(&pool, WhenExhausted::Wait(9 * SECOND)).layer(held());
    service.ready().await.unwrap();
    let mut sent = task::spawn(service.call(request(&Attempts::new())));
    one.release();
    assert_eq!(assert_ready_ok!(sent.poll()).body().index(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_permits_released_before_the_first_polls_are_acquired() {
    let pool = pool([("a", 1), ("b", 1)]);
    let held = [occupy(&pool).await, occupy(&pool).await];
    let mut sent = Vec::new();
    for _ in 0..2 {
        let mut service = layer(&pool, WhenExhausted::Wait(9 * SECOND)).layer(self::held());
        service.ready().await.unwrap();
        sent.push(task::spawn(service.call(request(&Attempts::new()))));
    }
    drop(held);
    let served = sent.iter_mut().map(|sent| assert_ready_ok!(sent.poll()));
    let served: Vec<_> = served.collect();
    assert!(served.iter().all(|response| response.status() == 200));
}

#[tokio::test(start_paused = true)]
async fn all_waiting_requests_are_served_one_after_the_other() {
    let pool = pool([("a", 1), ("b", 1)]);
    let start = Instant::now();
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let sent = waiting(&pool, 60 * SECOND).into_inner();
            tokio::spawn(async move {
                let selected = sent.await.unwrap().into_body();
                tokio::time::sleep(SECOND / 10).await;
                selected.release();
                selected.backend().label().to_owned()
            })
        })
        .collect();
    for request in requests {
        assert_ne!(request.await.unwrap(), "none");
    }
    // Two requests at a time, without a gap.
    let took = Instant::now() - start;
    assert_eq!(took, SECOND * 5);
}

#[tokio::test(start_paused = true)]
async fn strategy_decides_within_a_tier() {
    let pool = super::pool([("a", 1), ("b", 1), ("c", 2)]);
    let layer = PrioritySelectLayer::new(pool).with_strategy(
        |candidates: &spillover_core::Candidates<'_>, _| {
            let last = candidates.iter().last();
            last.map_or(0, |candidate| candidate.index())
        },
    );
    let attempts = Attempts::new();
    for label in ["b", "a", "c"] {
        assert_eq!(send(layer.layer(labels()), &attempts).await, label);
    }
}
