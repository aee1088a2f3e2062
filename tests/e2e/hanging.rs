//! A first backend that accepts requests and never answers, while the second one works.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Answer, Gateway, Program, behaving, healthy, request, soon, with},
    for_both_gateways, production,
};
use tokio::time::{Instant, timeout};

for_both_gateways!(
    client_that_says_it_tries_again_goes_to_the_second_backend,
    backend_that_answers_again_is_first_again,
);

struct Hanging {
    hanging: MockUpstream,
    healthy: MockUpstream,
    gateway: Gateway,
}

impl Hanging {
    async fn start(program: Program) -> Self {
        let hanging = behaving(Behavior::stall()).await;
        let healthy = healthy().await;
        let gateway = program
            .gateway()
            .backend("ptu", 1, hanging.url())
            .backend("payg", 2, healthy.url())
            .env("ADMIN_LISTEN", "127.0.0.1:0")
            .start()
            .await;
        Self {
            hanging,
            healthy,
            gateway,
        }
    }

    /// Sends the request for a client with this timeout.
    async fn ask(&self, request: Request<Body>, patience: Duration) -> Option<Answer> {
        timeout(patience, self.gateway.http2().send(request))
            .await
            .ok()
    }

    fn received(&self) -> [u64; 2] {
        [&self.hanging, &self.healthy].map(|mock| mock.handle().stats().received)
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn chat() -> Request<Body> {
    request("POST", "/v1/chat/completions", "question")
}

#[tokio::test]
async fn client_timeout_is_met_at_the_first_request() {
    let fields = [
        ("x-stainless-read-timeout", "1"),
        ("x-stainless-timeout", "1.0"),
        ("x-server-timeout", "1"),
        ("grpc-timeout", "1000m"),
    ];
    let pool = Hanging::start(production!()).await;
    for (nth, (name, value)) in (1..).zip(fields).take(3) {
        let begun = Instant::now();
        let answer = pool.ask(with(chat(), name, value), SECOND).await;
        let answer = answer.expect("an answer in time");
        assert_eq!((answer.status, answer.backend()), (200, "payg"), "{name}");
        assert!(Instant::now() - begun >= SECOND / 2);
        assert_eq!(pool.received(), [nth, nth]);
    }
    // After three in a row the backend is not called in vain again.
    let suspect = pool
        .gateway
        .wait_for_line(|line| line["message"] == "backend suspect")
        .await;
    assert_eq!(
        (&suspect["backend"], &suspect["cancelled"]),
        (&"ptu".into(), &3.into())
    );
    let begun = Instant::now();
    let answer = pool
        .ask(with(chat(), fields[3].0, fields[3].1), SECOND)
        .await;
    assert_eq!(answer.expect("an answer in time").backend(), "payg");
    assert!(Instant::now() - begun < SECOND / 2);
    assert_eq!(pool.received(), [3, 4]);
}

#[tokio::test]
async fn impatient_clients_reach_the_second_backend_from_the_fourth_request_on() {
    let pool = Hanging::start(production!()).await;
    for _ in 0..3 {
        assert!(pool.ask(chat(), SECOND).await.is_none());
    }
    pool.gateway
        .wait_for_line(|line| line["message"] == "backend suspect")
        .await;
    for _ in 0..5 {
        let answer = pool.ask(chat(), SECOND).await.expect("an answer in time");
        assert_eq!(answer.backend(), "payg");
    }
    assert_eq!(pool.received(), [3, 5]);

    let admin = pool.gateway.admin().await;
    let status = admin.get("/status").await.json();
    let ptu = &status["pools"][0]["backends"][0];
    assert_eq!(ptu["suspect_scopes"], 1);
    assert_eq!(ptu["longest_silence"]["cancelled"], 3);
    assert!(ptu["longest_silence"]["for_ms"].as_u64() >= Some(3000));
    assert_eq!(ptu["attempts"]["cancelled"], 3);
    let metrics = admin.get("/metrics").await;
    let metric = r#"spillover_suspect_scopes{pool="default",backend="ptu"} 1"#;
    assert!(metrics.text().contains(metric), "{}", metrics.text());
}

async fn client_that_says_it_tries_again_goes_to_the_second_backend(program: Program) {
    let pool = Hanging::start(program).await;
    let again = |count| with(chat(), "x-stainless-retry-count", count);
    assert!(pool.ask(again("0"), SECOND).await.is_none());
    soon(pool.hanging.handle().wait_for(|stats| stats.in_flight == 0)).await;
    let answer = pool
        .ask(again("1"), SECOND)
        .await
        .expect("an answer in time");
    assert_eq!(answer.backend(), "payg");
    assert_eq!(pool.received(), [1, 1]);
}

async fn backend_that_answers_again_is_first_again(program: Program) {
    let pool = Hanging::start(program).await;
    // A more patient client gets its answer, which ends the silence.
    let client = pool.gateway.http2();
    for _ in 0..3 {
        assert!(pool.ask(chat(), SECOND).await.is_none());
    }
    pool.gateway
        .wait_for_line(|line| line["message"] == "backend suspect")
        .await;
    pool.hanging.handle().set_behavior(Behavior::echo());
    tokio::time::sleep(10 * SECOND).await;
    for _ in 0..2 {
        assert_eq!(client.send(chat()).await.backend(), "ptu");
    }
    pool.gateway
        .wait_for_line(|line| line["message"] == "backend open again")
        .await;
}
