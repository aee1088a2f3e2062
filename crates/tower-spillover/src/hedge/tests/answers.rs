//! The choice among the answers of both attempts.

use spillover_core::{Answer, Class};

use super::*;

#[tokio::test(start_paused = true)]
async fn answer_before_the_delay_is_returned_without_a_hedge() {
    for answer in [Ok(200), Ok(404), Ok(429), Ok(503), Err("reset")] {
        let expected = SentResult {
            answer: answer.map(|status| (status, 0)),
            seconds: 1,
            hedged: None,
            attempts: 1,
            cancelled: 0,
        };
        assert_eq!(send_with([(1, answer)]).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn first_answer_that_is_not_a_refusal_wins() {
    for status in [200, 204, 304, 400, 404] {
        let by_hedge = SentResult {
            answer: Ok((status, 1)),
            seconds: 3,
            hedged: Some(true),
            attempts: 2,
            cancelled: 1,
        };
        assert_eq!(send_with([(9, Ok(200)), (1, Ok(status))]).await, by_hedge);
        let by_first = SentResult {
            answer: Ok((status, 0)),
            hedged: Some(false),
            ..by_hedge
        };
        assert_eq!(send_with([(3, Ok(status)), (9, Ok(200))]).await, by_first);
    }
}

#[tokio::test(start_paused = true)]
async fn first_attempt_wins_a_tie() {
    let result = send_with([(3, Ok(200)), (1, Ok(200))]).await;
    assert_eq!((result.answer, result.hedged), (Ok((200, 0)), Some(false)));
    assert_eq!((result.attempts, result.cancelled), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn other_attempt_is_awaited_when_one_is_refused() {
    for refusal in [Ok(429), Ok(503), Err("reset")] {
        let hedge_refused = SentResult {
            answer: Ok((200, 0)),
            seconds: 9,
            hedged: Some(false),
            attempts: 2,
            cancelled: 0,
        };
        assert_eq!(send_with([(9, Ok(200)), (1, refusal)]).await, hedge_refused);
        let first_refused = SentResult {
            answer: Ok((200, 1)),
            seconds: 11,
            hedged: Some(true),
            ..hedge_refused
        };
        assert_eq!(send_with([(3, refusal), (9, Ok(200))]).await, first_refused);
    }
}

#[tokio::test(start_paused = true)]
async fn later_refusal_is_returned_when_both_attempts_are_refused() {
    let result = send_with([(9, Ok(503)), (1, Ok(429))]).await;
    assert_eq!((result.answer, result.seconds), (Ok((503, 0)), 9));
    assert_eq!(result.hedged, Some(false));

    let result = send_with([(3, Ok(503)), (9, Ok(429))]).await;
    assert_eq!((result.answer, result.seconds), (Ok((429, 1)), 11));
    assert_eq!(result.hedged, Some(true));

    let result = send_with([(3, Ok(503)), (9, Err("reset"))]).await;
    assert_eq!((result.answer, result.attempts), (Err("reset"), 2));
}

#[tokio::test(start_paused = true)]
async fn request_is_hedged_once() {
    let result = send_with([(60, Ok(200)), (50, Ok(429))]).await;
    assert_eq!((result.answer, result.attempts), (Ok((200, 0)), 2));
}

#[tokio::test(start_paused = true)]
async fn outcome_of_an_inner_layer_decides_the_winner() {
    let outcome = |mut response: Response<usize>| {
        let outcome = match response.status().as_u16() {
            429 => Outcome::client_error(),
            _ => Outcome::throttled(SECOND),
        };
        response.extensions_mut().insert(outcome);
        response
    };
    for (status, winner) in [(429, 1), (200, 0)] {
        let inner = replies([(9, Ok(200)), (1, Ok(status))]);
        let handle = inner.handle();
        let service = HedgeLayer::new(DELAY).layer(inner.map_response(outcome));
        assert_eq!(send(service, &handle).await.answer.unwrap().1, winner);
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_that_forbids_a_retry_does_not_cancel_the_other_attempt() {
    let outcome = |mut response: Response<usize>| {
        let outcome = match response.status().as_u16() {
            200 => Outcome::success(),
            429 => Outcome::throttled(SECOND),
            _ => Outcome::failing(SECOND).without_retry(),
        };
        response.extensions_mut().insert(outcome);
        response
    };
    let cases = [
        ([(9, Ok(200)), (1, Ok(503))], (200, 0), 9, false),
        ([(3, Ok(503)), (9, Ok(200))], (200, 1), 11, true),
        // If both attempts are refused, the refusal that forbids a retry is returned, so that `RetryThrottled` stops.
        ([(9, Ok(429)), (1, Ok(503))], (503, 1), 9, true),
        ([(3, Ok(503)), (9, Ok(429))], (503, 0), 11, false),
        ([(3, Ok(503)), (9, Err("reset"))], (503, 0), 11, false),
    ];
    for (replies, answer, seconds, by_hedge) in cases {
        let inner = self::replies(replies);
        let handle = inner.handle();
        let service = HedgeLayer::new(DELAY).layer(inner.map_response(outcome));
        let expected = SentResult {
            answer: Ok(answer),
            seconds,
            hedged: Some(by_hedge),
            attempts: 2,
            cancelled: 0,
        };
        assert_eq!(send(service, &handle).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn classifier_decides_the_winner_without_an_outcome() {
    let classify = |answer: &Answer<'_, &str>| match answer.status() {
        Some(status) if status == 403 => Class::Throttled,
        _ => Class::Success,
    };
    for (answer, winner) in [
        (Ok(403), Ok((200, 0))),
        (Err("bad request"), Err("bad request")),
    ] {
        let inner = replies([(9, Ok(200)), (1, answer)]);
        let handle = inner.handle();
        let layer = HedgeLayer::new(DELAY).with_classify(classify);
        assert_eq!(send(layer.layer(inner), &handle).await.answer, winner);
    }
}

/// Creates a service that answers the attempt `local` with a local 200, as `PrioritySelect` may if no backend is left.
fn exhausted_at(local: usize, mut seconds: [u64; 2], first: u16) -> Inner {
    let backend = Backend::builder("a").url("http://a.example").build();
    let pool = Pool::new([backend.unwrap()]).unwrap();
    let mut attempt = 0;
    Probe::new(move |_: Request<Body>| {
        let number = attempt;
        attempt += 1;
        let status = if number == local { 200 } else { first };
        let mut response = response(status, number);
        if number == local {
            let exhausted = pool.exhausted(&Query::new(), Instant::now());
            response.extensions_mut().insert(exhausted);
        }
        let seconds = std::mem::take(&mut seconds[number]);
        async move {
            sleep(SECOND * u32::try_from(seconds).unwrap()).await;
            Ok(response)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn local_answer_of_the_hedge_does_not_win_over_the_first_attempt() {
    for first in [200, 503] {
        let inner = exhausted_at(1, [9, 0], first);
        let handle = inner.handle();
        let result = send(HedgeLayer::new(DELAY).layer(inner), &handle).await;
        // The result is the same as without a hedge.
        assert_eq!((result.answer, result.seconds), (Ok((first, 0)), 9));
        assert_eq!(result.hedged, None);
    }
}

#[tokio::test(start_paused = true)]
async fn local_answer_is_returned_if_the_first_attempt_was_refused_before() {
    // The local answer comes after the refusal of the first attempt.
    let inner = exhausted_at(1, [3, 9], 503);
    let handle = inner.handle();
    let result = send(HedgeLayer::new(DELAY).layer(inner), &handle).await;
    assert_eq!((result.answer, result.seconds), (Ok((200, 1)), 11));
}

#[tokio::test(start_paused = true)]
async fn answer_of_a_last_resort_backend_is_not_a_local_answer() {
    let backend = Backend::builder("a").url("http://a.example").build();
    let pool = Pool::new([backend.unwrap()]).unwrap();
    let last = move |mut response: Response<usize>| {
        let now = Instant::now();
        let extensions = response.extensions_mut();
        extensions.insert(pool.exhausted(&Query::new(), now));
        extensions.insert::<Selected>(pool.first(&Query::new(), now).unwrap());
        response
    };
    let inner = replies([(9, Ok(200)), (1, Ok(400))]);
    let handle = inner.handle();
    let service = HedgeLayer::new(DELAY).layer(inner.map_response(last));
    assert_eq!(send(service, &handle).await.answer, Ok((400, 1)));
}
