//! Streaming calls of tonic clients: another server may serve them until the first message has come back.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use spillover_tests::{
    e2e::soon,
    grpc::{GrpcStack, Play, Server, converse, pool, served_by, stack, upload},
};
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower_spillover::{Condition, Pool, Scope};

/// Returns the server that answered, the number of messages, and the status at the end.
async fn watch(stack: &impl GrpcStack) -> Result<(String, usize, Code), Status> {
    let mut client = HealthClient::new(stack.clone());
    let response = soon(client.watch(HealthCheckRequest::default())).await?;
    let server = served_by(&response);
    let mut stream = response.into_inner();
    let mut messages = 0;
    loop {
        match soon(stream.message()).await {
            Ok(Some(_)) => messages += 1,
            Ok(None) => return Ok((server, messages, Code::Ok)),
            Err(status) => return Ok((server, messages, status.code())),
        }
    }
}

fn condition(pool: &Pool) -> Condition {
    pool.snapshot(Scope::BACKEND, Instant::now())[0].condition()
}

fn always(label: &'static str, play: Play) -> Server {
    Server::start(label, move |_| play.clone())
}

#[tokio::test]
async fn refusal_before_the_first_message_fails_over() {
    let refusals = [
        Play::Refuse(Play::exhausted("9000")),
        Play::RefuseLate(Play::exhausted("9000")),
        Play::RefuseLate(Status::unavailable("restarting")),
    ];
    for refusal in refusals {
        let (a, b) = (always("a", refusal.clone()), always("b", Play::Serve));
        let pool = pool([&a, &b]);
        let stack = stack(&pool);
        let served = ("b".to_owned(), 3, Code::Ok);
        assert_eq!(watch(&stack).await.unwrap(), served, "{refusal:?}");
        assert_ne!(condition(&pool), Condition::Open, "{refusal:?}");
        assert_eq!(watch(&stack).await.unwrap(), served, "{refusal:?}");
        assert_eq!(a.calls(), 1, "{refusal:?}");
    }
}

#[tokio::test]
async fn last_refusal_after_the_head_reaches_the_client() {
    let a = always("a", Play::RefuseLate(Play::exhausted("9000")));
    let pool = pool([&a]);
    let status = watch(&stack(&pool)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "slow down")
    );
    assert!(matches!(condition(&pool), Condition::Throttled(_)));
}

#[tokio::test]
async fn failure_after_the_first_message_reaches_the_client_and_is_counted() {
    let a = always("a", Play::Break(Status::unavailable("restarting")));
    let b = always("b", Play::Serve);
    let pool = pool([&a, &b]);
    let broken = ("a".to_owned(), 1, Code::Unavailable);
    assert_eq!(watch(&stack(&pool)).await.unwrap(), broken);
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now()).remove(0);
    assert_eq!(
        (snapshot.counts().answered, snapshot.counts().broken),
        (1, 1)
    );
    assert_eq!(b.calls(), 0);
}

#[tokio::test]
async fn client_stream_is_replayed_from_its_start() {
    let a = always("a", Play::Refuse(Play::exhausted("9000")));
    let b = always("b", Play::Serve);
    let pool = pool([&a, &b]);
    let messages = (0..1000).map(|i| format!("message {i}"));
    let response = soon(upload(stack(&pool), stream::iter(messages)))
        .await
        .unwrap();
    assert_eq!(served_by(&response), "b");
    assert_eq!(response.get_ref().status, 1000);
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[tokio::test]
async fn open_client_stream_fails_over_too() {
    let a = always("a", Play::Refuse(Play::exhausted("9000")));
    let b = always("b", Play::Serve);
    let pool = pool([&a, &b]);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|message| (message, receiver))
    });
    let call = tokio::spawn(upload(stack(&pool), messages.boxed()));
    for i in 0..5 {
        sender.send(format!("message {i}")).await.unwrap();
        // The second server has the first message; the next ones come after it.
        while i == 0 && b.calls() == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(sender);
    let response = soon(call).await.unwrap().unwrap();
    assert_eq!(response.get_ref().status, 5);
}

#[tokio::test]
async fn head_reaches_a_client_that_waits_for_it_before_sending() {
    let a = always("a", Play::Serve);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|message| (message, receiver))
    });
    let begun = Instant::now();
    let response = soon(converse(stack(&pool([&a])), messages.boxed()));
    let mut answers = response.await.unwrap().into_inner();
    // Far less than the time for which a stream is held.
    assert!(Instant::now() - begun < Duration::from_secs(2));
    for _ in 0..2 {
        sender.send(String::from("Hello")).await.unwrap();
        assert!(soon(answers.message()).await.unwrap().is_some());
    }
    drop(sender);
    assert!(soon(answers.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn dropped_stream_frees_its_permit() {
    let a = always("a", Play::Stall);
    let pool = pool([&a]);
    let mut client = HealthClient::new(stack(&pool));
    let response = soon(client.watch(HealthCheckRequest::default()))
        .await
        .unwrap();
    let mut stream = response.into_inner();
    assert!(soon(stream.message()).await.unwrap().is_some());
    let in_flight = || pool.snapshot(Scope::BACKEND, Instant::now())[0].in_flight();
    assert_eq!((in_flight(), a.in_flight()), (1, 1));
    drop(stream);
    assert_eq!(in_flight(), 0);
    while a.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}
