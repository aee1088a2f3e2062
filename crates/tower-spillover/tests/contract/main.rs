//! The contract of `tower::Service`, checked on every layer and on the whole stacks, over a probe whose clones are not
//! ready. Other behaviour is tested in the modules of the layers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod setup;
mod subject;

use std::{mem, time::Duration};

use spillover_testing::Probe;
use tokio::time::timeout;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, Service, ServiceExt};

use self::{
    setup::{
        answering, poll_ready, refusing_every_second, request, send_at_once, setup,
        setup_with_limit,
    },
    subject::{
        Affinity, Body, Hedge, Hedging, HttpService, Limit, Model, Patience, Peek, PerBackend,
        Refusal, Retry, RetryTwice, Rewrite, Select, SelectByLatency, Shared, Steer, Subject,
        Throttle,
    },
};

macro_rules! contract {
    ($($subject:ident => $name:ident { $($check:ident)* })*) => {$(
        mod $name {
            $(
                #[tokio::test(start_paused = true)]
                async fn $check() {
                    super::$check::<super::$subject>().await;
                }
            )*
        }
    )*};
}

macro_rules! contract_of {
    ($($name:ident: $subject:ident),* $(,)?) => {
        contract! {$(
            $subject => $name {
                only_ready_instances_are_called
                readiness_of_the_inner_service_is_passed
                readiness_may_take_many_polls
                readiness_errors_are_passed
                ready_instance_is_called_and_its_clone_is_not_ready
                instance_is_made_ready_once
                responses_and_errors_are_passed
                dropped_future_cancels_the_call
                future_dropped_between_two_calls_leaves_nothing_reserved
                finished_requests_leave_no_instance_or_reservation
                concurrency_limit_of_one_does_not_deadlock
                service_can_be_shared_between_threads
            }
        )*}
    };
}

contract_of! {
    retry: Retry,
    retry_twice: RetryTwice,
    hedge: Hedge,
    patience: Patience,
    select: Select,
    select_by_latency: SelectByLatency,
    rewrite: Rewrite,
    throttle: Throttle,
    refusal: Refusal,
    peek: Peek,
    steer: Steer,
    limit: Limit,
    model: Model,
    affinity: Affinity,
    stack_over_a_shared_client: Shared,
    stack_over_a_client_per_backend: PerBackend,
    stack_with_hedges: Hedging,
}

async fn only_ready_instances_are_called<T: Subject>() {
    let mut it = setup::<T>(refusing_every_second::<T>());
    it.handle.set_pending_polls(2);
    for _ in 0..10 {
        it.service
            .ready()
            .await
            .unwrap()
            .call(request(&it.pool))
            .await
            .unwrap();
        it.service.clone().oneshot(request(&it.pool)).await.unwrap();
    }
    assert_eq!(it.handle.violations(), 0);
    assert_eq!(it.handle.calls() > 20, T::RETRIES);
}

async fn readiness_of_the_inner_service_is_passed<T: Subject>() {
    let mut it = setup::<T>(answering::<T>(|| Ok(200)));
    it.handle.set_pending();
    let mut ready = task::spawn(());
    if T::PASSES_READINESS {
        assert_pending!(ready.enter(|cx, _| it.service.poll_ready(cx)));
        assert!(!ready.is_woken());
        it.handle.set_ready();
        assert!(ready.is_woken());
        assert_ready_ok!(ready.enter(|cx, _| it.service.poll_ready(cx)));
        assert_eq!(it.handle.reserved(), 1);
    } else {
        assert_ready_ok!(ready.enter(|cx, _| it.service.poll_ready(cx)));
        assert_eq!((it.handle.polls(), it.handle.reserved()), (0, 0));
    }
}

async fn readiness_may_take_many_polls<T: Subject>() {
    let mut it = setup::<T>(answering::<T>(|| Ok(200)));
    it.handle.set_pending_polls(100);
    if T::PASSES_READINESS {
        (0..100).for_each(|_| assert_pending!(poll_ready(&mut it.service)));
    }
    assert_ready_ok!(poll_ready(&mut it.service));
    let mut sent = task::spawn(it.service.call(request(&it.pool)));
    if !T::PASSES_READINESS {
        (0..100).for_each(|_| assert_pending!(sent.poll()));
    }
    assert_pending!(sent.poll());
    assert_ready_ok!(sent.poll());
    assert_eq!((it.handle.polls(), it.handle.calls()), (101, 1));
}

async fn readiness_errors_are_passed<T: Subject>() {
    let mut it = setup::<T>(answering::<T>(|| Ok(200)));
    it.handle.fail_ready("shut down");
    let error: BoxError = if T::PASSES_READINESS {
        assert_ready_err!(poll_ready(&mut it.service)).into()
    } else {
        // Without this, the other backend would be ready.
        it.handle.fail_ready("shut down");
        assert_ready_ok!(poll_ready(&mut it.service));
        it.service.call(request(&it.pool)).await.unwrap_err().into()
    };
    assert_eq!(error.to_string(), "shut down");
    assert_eq!(it.handle.reserved(), 0);
}

async fn ready_instance_is_called_and_its_clone_is_not_ready<T: Subject>() {
    let mut it = setup::<T>(answering::<T>(|| Ok(200)));
    assert_ready_ok!(poll_ready(&mut it.service));
    let clone = it.service.clone();
    let mut ready = mem::replace(&mut it.service, clone);
    if T::PASSES_READINESS {
        it.handle.set_pending();
        assert_pending!(poll_ready(&mut it.service));
    }
    ready.call(request(&it.pool)).await.unwrap();
    assert_eq!((it.handle.calls(), it.handle.violations()), (1, 0));
}

async fn instance_is_made_ready_once<T: Subject>() {
    let mut it = setup::<T>(answering::<T>(|| Ok(200)));
    for _ in 0..3 {
        assert_ready_ok!(poll_ready(&mut it.service));
        assert_eq!(it.handle.reserved(), usize::from(T::PASSES_READINESS));
    }
    drop(it.service);
    assert_eq!((it.handle.reserved(), it.handle.instances()), (0, 0));
}

async fn responses_and_errors_are_passed<T: Subject>() {
    for status in [200, 304, 404] {
        let it = setup::<T>(answering::<T>(move || Ok(status)));
        let response = it.service.oneshot(request(&it.pool)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
    let it = setup::<T>(answering::<T>(|| Err("broken")));
    let error = it.service.oneshot(request(&it.pool)).await.unwrap_err();
    assert_eq!(error.into().to_string(), "broken");
    assert_eq!(it.handle.calls(), if T::RETRIES { 2 } else { 1 });
}

async fn dropped_future_cancels_the_call<T: Subject>() {
    let mut it = setup::<T>(Probe::new(|_| std::future::pending()));
    for polls in 0..3 {
        assert_ready_ok!(poll_ready(&mut it.service));
        let mut sent = task::spawn(it.service.call(request(&it.pool)));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        let is_called = T::PASSES_READINESS && !T::CALLS_LATER || polls > 0;
        assert_eq!(it.handle.in_flight(), usize::from(is_called));

        drop(sent);
        assert_eq!(it.handle.in_flight(), 0);
        assert_eq!(
            (it.handle.instances(), it.handle.reserved()),
            (it.instances, 0)
        );
    }
    assert_eq!(it.handle.cancelled(), it.handle.calls());
}

async fn future_dropped_between_two_calls_leaves_nothing_reserved<T: Subject>() {
    let mut it = setup::<T>(refusing_every_second::<T>());
    assert_ready_ok!(poll_ready(&mut it.service));
    let mut sent = task::spawn(it.service.call(request(&it.pool)));
    assert_pending!(sent.poll());
    it.handle.set_pending();
    if T::RETRIES {
        assert_pending!(sent.poll());
        assert_eq!((it.handle.completed(), it.handle.in_flight()), (1, 0));
    } else {
        assert_ready_ok!(sent.poll());
    }
    drop(sent);
    assert_eq!(
        (it.handle.instances(), it.handle.reserved()),
        (it.instances, 0)
    );
}

async fn finished_requests_leave_no_instance_or_reservation<T: Subject>() {
    let it = setup::<T>(refusing_every_second::<T>());
    send_at_once(&it, 20).await;
    assert_eq!((it.handle.in_flight(), it.handle.cancelled()), (0, 0));
    assert_eq!(
        (it.handle.instances(), it.handle.reserved()),
        (it.instances, 0)
    );
}

async fn concurrency_limit_of_one_does_not_deadlock<T: Subject>() {
    let it = setup_with_limit::<T>(refusing_every_second::<T>(), 1);
    // On paused time, the timeout elapses when all tasks wait.
    let result = timeout(Duration::from_secs(1), send_at_once(&it, 20)).await;
    result.expect("no request holds a permit that another one waits for");
    assert_eq!(it.handle.violations(), 0);
}

async fn service_can_be_shared_between_threads<T: Subject>() {
    fn check<S: HttpService<Body>>(_: &S) {}
    check(&setup::<T>(answering::<T>(|| Ok(200))).service);
}
