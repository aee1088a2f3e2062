//! Checks that every deployment keeps the promises of a reply.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::*;
use crate::on_every_deployment;

on_every_deployment! {
    chunks_of_an_answer_arrive_one_by_one
    answer_breaks_off
    request_in_flight_is_counted_until_its_answer
}

async fn call(stack: &Stack) -> Body {
    let request = Request::post("/v1/chat/completions").body(Body::empty());
    stack.call(request.unwrap()).await.unwrap().into_body()
}

async fn chunks_of_an_answer_arrive_one_by_one(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, _| {
        Reply::status(200).streams(SECOND, ["one, ", "two"])
    });
    let start = Instant::now();
    let mut body = call(&stack).await;
    for (chunk, after) in [("one, ", 1), ("two", 2)] {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), chunk);
        assert_eq!(Instant::now(), start + after * SECOND);
    }
    assert_eq!(body.collect().await.unwrap().to_bytes(), "");
}

async fn answer_breaks_off(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, nth| match nth {
        1 => Reply::status(200).breaks_off(),
        _ => Reply::status(200).streams(SECOND, ["a"]).breaks_off(),
    });
    for _ in 0..2 {
        let mut body = call(&stack).await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "a");
        body.frame().await.unwrap().unwrap_err();
    }
}

async fn request_in_flight_is_counted_until_its_answer(deployment: Deployment) {
    let stack = Stack::builder([("a", 1)]).build(deployment, |_, nth| match nth {
        1 => Reply::stall(),
        _ => Reply::error("connection refused").after(SECOND),
    });
    let counts = || (stack.backends.in_flight(), stack.backends.cancelled());
    let stalled = stack.start("question").await;
    let failing = stack.start("question").await;
    assert_eq!(counts(), (2, 0));
    failing.await.unwrap().unwrap_err();
    assert_eq!(counts(), (1, 0));
    stalled.abort();
    settle().await;
    assert_eq!(counts(), (0, 1));
}
