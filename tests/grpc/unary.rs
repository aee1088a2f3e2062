//! Unary calls of tonic clients over a channel for each backend.

use std::time::Duration;

use spillover_tests::{
    e2e::soon,
    grpc::{GrpcStack, Play, Server, pool, served_by, stack},
};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::{ErrorDetails, StatusExt};
use tower_spillover::{Condition, Pool, Scope};

/// Returns the label of the server that answered.
async fn check(stack: &impl GrpcStack) -> Result<String, Status> {
    let mut client = HealthClient::new(stack.clone());
    let response = soon(client.check(HealthCheckRequest::default())).await?;
    Ok(served_by(&response))
}

fn conditions(pool: &Pool) -> Vec<Condition> {
    let snapshots = pool.snapshot(Scope::BACKEND, Instant::now());
    snapshots
        .iter()
        .map(|snapshot| snapshot.condition())
        .collect()
}

/// Starts a server that plays `play` with its first call and serves all others.
fn first(label: &'static str, play: Play) -> Server {
    Server::start(label, move |nth| match nth {
        1 => play.clone(),
        _ => Play::Serve,
    })
}

fn serving(label: &'static str) -> Server {
    Server::start(label, |_| Play::Serve)
}

#[tokio::test]
async fn exhausted_server_is_not_called_during_its_pushback() {
    let a = first("a", Play::Refuse(Play::exhausted("400")));
    let b = serving("b");
    let pool = pool([&a, &b]);
    let stack = stack(&pool);

    assert_eq!(check(&stack).await.unwrap(), "b");
    let Condition::Throttled(wait) = conditions(&pool)[0] else {
        panic!("it is throttled: {pool:?}");
    };
    assert!(wait <= Duration::from_millis(400), "{wait:?}");
    assert_eq!(check(&stack).await.unwrap(), "b");
    assert_eq!(a.calls(), 1);

    sleep(wait).await;
    assert_eq!(check(&stack).await.unwrap(), "a");
    assert_eq!((a.calls(), b.calls()), (2, 2));
}

#[tokio::test]
async fn retry_info_in_the_details_sets_the_cooldown() {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
    let status = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
    let (a, b) = (first("a", Play::Refuse(status)), serving("b"));
    let pool = pool([&a, &b]);
    assert_eq!(check(&stack(&pool)).await.unwrap(), "b");
    let Condition::Throttled(wait) = conditions(&pool)[0] else {
        panic!("it is throttled: {pool:?}");
    };
    assert!(
        wait > Duration::from_secs(5) && wait <= Duration::from_secs(7),
        "{wait:?}"
    );
}

#[tokio::test]
async fn unavailable_server_counts_as_failing() {
    for status in [
        Status::unavailable("restarting"),
        Status::deadline_exceeded("too slow"),
    ] {
        let (a, b) = (first("a", Play::Refuse(status)), serving("b"));
        let pool = pool([&a, &b]);
        assert_eq!(check(&stack(&pool)).await.unwrap(), "b");
        assert!(matches!(
            conditions(&pool)[..],
            [Condition::Failing(_), Condition::Open]
        ));
    }
}

#[tokio::test]
async fn application_errors_reach_the_client() {
    for code in [
        Code::InvalidArgument,
        Code::NotFound,
        Code::Internal,
        Code::Unknown,
    ] {
        let (a, b) = (
            first("a", Play::Refuse(Status::new(code, "no"))),
            serving("b"),
        );
        let pool = pool([&a, &b]);
        assert_eq!(check(&stack(&pool)).await.unwrap_err().code(), code);
        assert_eq!(conditions(&pool), [Condition::Open; 2]);
        assert_eq!(b.calls(), 0);
    }
}

#[tokio::test]
async fn pushback_that_forbids_a_retry_is_obeyed() {
    let (a, b) = (
        first("a", Play::Refuse(Play::exhausted("-1"))),
        serving("b"),
    );
    let pool = pool([&a, &b]);
    let stack = stack(&pool);
    assert_eq!(
        check(&stack).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert_eq!(check(&stack).await.unwrap(), "b");
}

#[tokio::test]
async fn unreachable_server_is_skipped() {
    let (a, b) = (serving("a"), serving("b"));
    let pool = pool([&a, &b]);
    let stack = stack(&pool);
    assert_eq!(check(&stack).await.unwrap(), "a");
    drop(a);
    // The server's last connection closes after it has processed the end.
    while check(&stack).await.unwrap() == "a" {}
    assert!(matches!(conditions(&pool)[0], Condition::Failing(_)));
}

#[tokio::test]
async fn last_refusal_states_when_the_pool_opens() {
    let a = Server::start("a", |_| Play::Refuse(Play::exhausted("30000")));
    let b = Server::start("b", |_| Play::Refuse(Play::exhausted("9000")));
    let pool = pool([&a, &b]);
    let status = check(&stack(&pool)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "slow down")
    );
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
    let pushback = pushback.to_str().unwrap();
    let pushback: u64 = pushback.parse().unwrap();
    assert!((1..=9000).contains(&pushback), "{pushback}");
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[tokio::test]
async fn dropped_call_is_cancelled_at_the_server() {
    let a = Server::start("a", |_| Play::Stall);
    let pool = pool([&a]);
    let stack = stack(&pool);
    let call = tokio::spawn({
        let stack = stack.clone();
        async move { check(&stack).await }
    });
    soon(until(|| a.in_flight() == 1)).await;
    call.abort();
    soon(until(|| a.in_flight() == 0)).await;
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now()).remove(0);
    assert_eq!(snapshot.counts().cancelled, 1);
    assert_eq!(snapshot.in_flight(), 0);
    assert_eq!(snapshot.condition(), Condition::Open);
}

#[tokio::test]
async fn calls_beyond_the_stream_limit_wait() {
    let a = Server::start_with(
        "a",
        |_| Play::Serve,
        |server| server.max_concurrent_streams(2),
    );
    let pool = pool([&a]);
    let stack = stack(&pool);
    // The transport may refuse calls that come before the server's first settings.
    check(&stack).await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let stack = stack.clone();
            tokio::spawn(async move { check(&stack).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "a");
    }
    assert_eq!(a.calls(), 51);
}

#[tokio::test]
async fn each_server_gets_its_own_token_only() {
    let (a, b) = (
        first("a", Play::Refuse(Status::unavailable("down"))),
        serving("b"),
    );
    let pool = pool([&a, &b]);
    let mut client = HealthClient::new(stack(&pool));
    let mut request = Request::new(HealthCheckRequest::default());
    let secret = "Bearer of-the-client".parse().unwrap();
    request.metadata_mut().insert("authorization", secret);
    soon(client.check(request)).await.unwrap();
    assert_eq!(a.tokens(), ["Bearer token-of-a"]);
    assert_eq!(b.tokens(), ["Bearer token-of-b"]);
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(5)).await;
    }
}
