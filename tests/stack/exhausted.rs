//! Every backend is closed: the fate of the request, and the client's answer.

use std::time::Duration;

use spillover_tests::{
    on_every_deployment,
    stack::{Deployment, Reply, SECOND, Stack, StackBuilder},
};
use tokio::time::{Instant, advance};
use tower_spillover::{Class, Condition, select::WhenExhausted};

on_every_deployment! {
    request_refused_by_all_gets_the_most_helpful_refusal
    last_refusal_of_one_kind_is_the_answer
    local_429_states_when_the_first_backend_opens
    forward_mode_calls_the_first_backend
    forward_mode_returns_the_answer_to_the_client
    reject_mode_answers_429
    wait_mode_waits_for_the_first_backend
    request_that_finds_all_closed_waits
    waits_of_one_request_are_bounded_together
    failed_backend_is_not_called_again_after_a_wait
    wait_is_bounded
    request_that_waited_is_retried_too
    failing_backend_is_the_last_resort
    all_failing_backends_are_tried_if_there_are_no_others
}

/// Returns three backends that answer 429 with these hints in seconds at first, and 200 after that.
fn throttling(builder: StackBuilder, deployment: Deployment, hints: [u32; 3]) -> Stack {
    builder.build(deployment, move |label, nth| match (label, nth) {
        ("a", 1) => Reply::throttled(hints[0]),
        ("b", 1) => Reply::throttled(hints[1]),
        ("c", 1) => Reply::throttled(hints[2]),
        _ => Reply::status(200),
    })
}

/// `a` is the best backend, but not the first of the list.
fn three() -> StackBuilder {
    Stack::builder([("c", 3), ("a", 1), ("b", 2)])
}

async fn request_refused_by_all_gets_the_most_helpful_refusal(deployment: Deployment) {
    for (last, label) in [(429, "c"), (500, "b"), (401, "b")] {
        let settings = [
            WhenExhausted::Forward,
            WhenExhausted::Reject,
            WhenExhausted::Wait(4 * SECOND),
        ];
        for when_exhausted in settings {
            let stack = three().when_exhausted(when_exhausted);
            let stack = stack.build(deployment, move |label, _| match label {
                "c" => Reply::status(last).header("x-upstream", "c"),
                _ => Reply::throttled(5).header("x-upstream", label),
            });
            let start = Instant::now();
            let answer = stack.send().await;
            assert_eq!(answer.summary(), (429, label, 3), "{last}");
            assert_eq!(answer.outcome.as_ref().unwrap().class(), Class::Throttled);
            assert_eq!(answer.headers["x-upstream"], label);
            assert_eq!(answer.comes_back_after(), [Some("5"), Some("5000")]);
            assert_eq!(answer.exhausted.unwrap().reopens_in(), 5 * SECOND);
            assert_eq!(stack.backends.order(), ["a", "b", "c"]);
            assert_eq!(Instant::now(), start);
        }
    }
}

async fn last_refusal_of_one_kind_is_the_answer(deployment: Deployment) {
    for (status, class) in [(500, Class::Failing), (503, Class::Capacity)] {
        let stack = three().build(deployment, move |label, _| {
            Reply::status(status).header("x-upstream", label)
        });
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (status, "c", 3));
        assert_eq!(answer.outcome.as_ref().unwrap().class(), class);
    }
}

async fn local_429_states_when_the_first_backend_opens(deployment: Deployment) {
    for hints in [[3, 5, 9], [9, 3, 5], [5, 9, 3]] {
        let stack = throttling(three(), deployment, hints);
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (429, "c", 3), "{hints:?}");
        assert_eq!(
            answer.comes_back_after(),
            [Some("3"), Some("3000")],
            "{hints:?}"
        );

        // The promise is kept.
        advance(3 * SECOND).await;
        assert_eq!(stack.send().await.summary().0, 200, "{hints:?}");
    }
}

async fn forward_mode_calls_the_first_backend(deployment: Deployment) {
    let stack = throttling(three(), deployment, [3, 5, 9]);
    stack.send().await;
    let answer = stack.send().await;
    assert_eq!(answer.summary(), (200, "c", 1));
    assert_eq!(answer.comes_back_after(), [None, None]);
    // One answer does not break the promise.
    let closed = [9, 3, 5].map(|hint| Condition::Throttled(hint * SECOND));
    assert_eq!(stack.conditions(), closed);
}

async fn forward_mode_returns_the_answer_to_the_client(deployment: Deployment) {
    for status in [429, 500, 400] {
        let stack = three().build(deployment, move |_, nth| match nth {
            1 => Reply::throttled(5),
            _ => Reply::status(status).header("retry-after", 77),
        });
        stack.send().await;
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (status, "c", 1));
        // An answer that is no refusal has its own hint.
        let hint = if status == 400 { "77" } else { "5" };
        assert_eq!(answer.comes_back_after()[0], Some(hint));
        assert_eq!(stack.backends.order().len(), 4);
    }
}

async fn reject_mode_answers_429(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Reject);
    let stack = throttling(stack, deployment, [3, 5, 9]);
    stack.send().await;
    advance(Duration::from_millis(500)).await;
    let answer = stack.send().await;
    assert_eq!(answer.summary(), (429, "none", 0));
    assert_eq!(answer.comes_back_after(), [Some("3"), Some("2500")]);
    assert_eq!(
        answer.exhausted.unwrap().reopens_in(),
        Duration::from_millis(2500)
    );
    assert_eq!(stack.backends.order().len(), 3);

    advance(Duration::from_millis(2500)).await;
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}

async fn wait_mode_waits_for_the_first_backend(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Wait(3 * SECOND));
    let stack = throttling(stack, deployment, [3, 5, 9]);
    let start = Instant::now();
    // After all have refused, the request waits for the first backend that opens, and calls it again.
    assert_eq!(stack.send().await.summary(), (200, "a", 4));
    assert_eq!(Instant::now() - start, 3 * SECOND);
    assert_eq!(stack.backends.order(), ["a", "b", "c", "a"]);
}

async fn request_that_finds_all_closed_waits(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Wait(2 * SECOND));
    let stack = throttling(stack, deployment, [3, 5, 9]);
    assert_eq!(stack.send().await.summary(), (429, "c", 3));
    advance(SECOND).await;
    let start = Instant::now();
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
    assert_eq!(Instant::now() - start, 2 * SECOND);
}

async fn waits_of_one_request_are_bounded_together(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Wait(5 * SECOND / 2));
    let stack = stack.build(deployment, |label, _| match label {
        "a" => Reply::throttled(1),
        _ => Reply::throttled(60),
    });
    let start = Instant::now();
    let answer = stack.send().await;
    assert_eq!(answer.summary(), (429, "a", 5));
    assert_eq!(answer.comes_back_after(), [Some("1"), Some("1000")]);
    assert_eq!(Instant::now() - start, 2 * SECOND);
    assert_eq!(stack.backends.order(), ["a", "b", "c", "a", "a"]);
}

async fn failed_backend_is_not_called_again_after_a_wait(deployment: Deployment) {
    let stack = Stack::builder([("a", 1), ("b", 2)]);
    let stack = stack.when_exhausted(WhenExhausted::Wait(60 * SECOND));
    let stack = stack.build(deployment, |label, _| match label {
        "a" => Reply::throttled(20),
        _ => Reply::status(500),
    });
    let answer = stack.send().await;
    assert_eq!(answer.attempts, 5);
    assert_eq!(stack.backends.order(), ["a", "b", "a", "a", "a"]);
}

async fn wait_is_bounded(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Wait(2 * SECOND));
    let stack = throttling(stack, deployment, [3, 5, 9]);
    stack.send().await;
    let start = Instant::now();
    let answer = stack.send().await;
    assert_eq!(answer.summary(), (429, "none", 0));
    assert_eq!(answer.comes_back_after(), [Some("3"), Some("3000")]);
    assert_eq!(Instant::now(), start);
}

async fn request_that_waited_is_retried_too(deployment: Deployment) {
    let stack = three().when_exhausted(WhenExhausted::Wait(10 * SECOND));
    let stack = stack.build(deployment, |label, nth| match (label, nth) {
        ("b", 1) => Reply::throttled(3),
        (_, 1) | ("a", 2) => Reply::throttled(3),
        _ => Reply::status(200),
    });
    let start = Instant::now();
    // The first that opens refuses again; the next one serves, without another wait.
    assert_eq!(stack.send().await.summary(), (200, "b", 5));
    assert_eq!(Instant::now() - start, 3 * SECOND);
}

async fn failing_backend_is_the_last_resort(deployment: Deployment) {
    let stack = three().build(deployment, |label, nth| match (label, nth) {
        ("b", 1) => Reply::status(500),
        ("b", _) => Reply::status(200),
        _ => Reply::throttled(60),
    });
    assert_eq!(stack.send().await.summary(), (429, "c", 3));
    // Among three closed backends, the one without a promise is called.
    assert_eq!(stack.send().await.summary(), (200, "b", 1));
    assert_eq!(stack.conditions()[2], Condition::Open);
}

async fn all_failing_backends_are_tried_if_there_are_no_others(deployment: Deployment) {
    let stack = three().build(deployment, |_, nth| match nth {
        1 | 2 => Reply::status(502),
        _ => Reply::status(200),
    });
    for _ in 0..2 {
        let answer = stack.send().await;
        assert_eq!(answer.summary(), (502, "c", 3));
        assert_eq!(answer.exhausted.unwrap().reopens_in(), 10 * SECOND);
    }
    assert_eq!(stack.backends.order(), ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(stack.send().await.summary(), (200, "a", 1));
}
