//! Readiness, clones and cancellation.

use tokio_test::{assert_ready, assert_ready_err};
use tower::limit::ConcurrencyLimit;

use super::*;

/// Makes the service ready and calls it. The returned future is not polled yet.
fn begin(
    service: &mut Hedge<Inner>,
) -> task::Spawn<ResponseFuture<Inner, spillover_core::StatusClassifier, Body>> {
    let mut ready = task::spawn(());
    assert_ready_ok!(ready.enter(|cx, _| service.poll_ready(cx)));
    task::spawn(service.call(request()))
}

#[tokio::test(start_paused = true)]
async fn hedge_waits_for_the_readiness_of_its_own_clone() {
    let inner = replies([(60, Ok(200)), (1, Ok(200))]);
    let handle = inner.handle();
    let mut service = HedgeLayer::new(DELAY).layer(inner);
    let mut sent = begin(&mut service);
    handle.set_pending();
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    assert_eq!(handle.calls(), 1);

    handle.set_ready();
    assert!(sent.is_woken());
    assert_pending!(sent.poll());
    assert_eq!((handle.calls(), handle.violations()), (2, 0));
    advance(SECOND).await;
    assert_eq!(*assert_ready_ok!(sent.poll()).body(), 1);
}

#[tokio::test(start_paused = true)]
async fn answer_of_the_first_attempt_is_returned_while_the_hedge_is_not_ready() {
    for answer in [Ok(200), Ok(429), Err("reset")] {
        let inner = replies([(3, answer)]);
        let handle = inner.handle();
        let mut service = HedgeLayer::new(DELAY).layer(inner);
        let mut sent = begin(&mut service);
        handle.set_pending();
        assert_pending!(sent.poll());
        advance(DELAY).await;
        assert_pending!(sent.poll());
        advance(SECOND).await;
        let result = assert_ready!(sent.poll());
        if let Ok(response) = &result {
            assert_eq!(hedged(response), None);
        }
        assert_eq!(result.map(|response| response.status().as_u16()), answer);
        assert_eq!((handle.calls(), handle.instances()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_error_of_the_hedge_does_not_affect_the_first_attempt() {
    let inner = replies([(3, Ok(200))]);
    let handle = inner.handle();
    let mut service = HedgeLayer::new(DELAY).layer(inner);
    let mut sent = begin(&mut service);
    assert_pending!(sent.poll());
    handle.fail_ready("shut down");
    advance(DELAY).await;
    assert_pending!(sent.poll());
    assert_eq!((handle.calls(), handle.instances()), (1, 1));
    advance(SECOND).await;
    let response = assert_ready_ok!(sent.poll());
    assert_eq!((*response.body(), hedged(&response)), (0, None));
}

#[tokio::test(start_paused = true)]
async fn dropped_future_drops_both_attempts() {
    // Stages: before the first poll, during the first attempt, before the hedge is ready, and during both attempts.
    let stages = [(0, false, 1), (1, false, 1), (2, true, 1), (2, false, 2)];
    for (polls, is_waiting, cancelled) in stages {
        let inner = replies([(60, Ok(200)), (60, Ok(200))]);
        let handle = inner.handle();
        let mut service = HedgeLayer::new(DELAY).layer(inner);
        let mut sent = begin(&mut service);
        if is_waiting {
            handle.set_pending();
        }
        for _ in 0..polls {
            assert_pending!(sent.poll());
            advance(DELAY).await;
        }
        assert_eq!(handle.in_flight(), cancelled);
        drop(sent);
        assert_eq!((handle.in_flight(), handle.cancelled()), (0, cancelled));
        assert_eq!((handle.instances(), handle.reserved()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn losing_attempt_is_dropped_before_the_answer_is_returned() {
    for seconds in [[9, 1], [3, 9]] {
        let inner = replies(seconds.map(|seconds| (seconds, Ok(200))));
        let handle = inner.handle();
        let mut service = HedgeLayer::new(DELAY).layer(inner);
        let mut sent = begin(&mut service);
        assert_pending!(sent.poll());
        advance(DELAY).await;
        assert_pending!(sent.poll());
        advance(SECOND).await;
        assert_ready_ok!(sent.poll());
        // The future is not dropped yet.
        assert_eq!((handle.in_flight(), handle.cancelled()), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_of_the_inner_service_does_not_block_hedged_requests() {
    let inner: Inner = Probe::new(|_| async {
        sleep(3 * SECOND).await;
        Ok(response(200, 0))
    });
    let handle = inner.handle();
    let service = HedgeLayer::new(DELAY).layer(ConcurrencyLimit::new(inner, 1));
    let sent: Vec<_> = (0..5)
        .map(|_| tokio::spawn(service.clone().oneshot(request())))
        .collect();
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
    // No hedge got the permit, since its first attempt held it.
    assert_eq!((handle.calls(), handle.violations()), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_attempt_is_dropped_while_the_other_attempt_continues() {
    let inner = replies([(3, Ok(503)), (60, Ok(200))]);
    let handle = inner.handle();
    let mut service = HedgeLayer::new(DELAY).layer(inner);
    let mut sent = begin(&mut service);
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    advance(SECOND).await;
    assert_pending!(sent.poll());
    assert_eq!((handle.in_flight(), handle.completed()), (1, 1));
    drop(sent);
    assert_eq!((handle.in_flight(), handle.cancelled()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_inner_service() {
    let inner = replies([]);
    let handle = inner.handle();
    let mut service = HedgeLayer::new(DELAY).layer(inner);
    let mut ready = task::spawn(());
    handle.set_pending();
    assert_pending!(ready.enter(|cx, _| service.poll_ready(cx)));
    handle.fail_ready("shut down");
    assert_eq!(
        assert_ready_err!(ready.enter(|cx, _| service.poll_ready(cx))),
        "shut down"
    );
}

#[test]
fn inner_service_is_accessible() {
    let mut service = HedgeLayer::new(DELAY).layer("inner");
    assert_eq!(*service.get_ref(), "inner");
    *service.get_mut() = "other";
    assert_eq!(service.into_inner(), "other");
}
