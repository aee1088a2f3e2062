//! Many requests at once, while the best backend throttles: none of them fails.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use spillover_testing::{MockUpstream, upstream::Behavior};
use spillover_tests::{
    e2e::{Answer, Client, Gateway, Program, answer, healthy, soon},
    for_both_gateways,
};

for_both_gateways!(
    five_hundred_concurrent_requests_succeed_while_the_best_backend_throttles,
    only_requests_already_on_their_way_reach_a_backend_that_throttles,
);

/// A gateway in front of three healthy backends: one in the best tier, two in the next.
async fn in_front_of_three(program: Program) -> (Gateway, [MockUpstream; 3]) {
    let backends = [healthy().await, healthy().await, healthy().await];
    let gateway = program
        .gateway()
        .backend("best", 1, backends[0].url())
        .backend("a", 2, backends[1].url())
        .backend("b", 2, backends[2].url());
    (gateway.start().await, backends)
}

async fn ask(client: &Client) -> Answer {
    client.post("/v1/chat/completions", "question").await
}

fn number(line: &Value, field: &str) -> u64 {
    line[field].as_u64().expect("a number")
}

/// The clients' 500 requests are all on their way at the same time. HTTP/2 carries them, so that no machine's limit of
/// open files is in the way.
async fn five_hundred_concurrent_requests_succeed_while_the_best_backend_throttles(
    program: Program,
) {
    let (gateway, [best, a, b]) = in_front_of_three(program).await;
    best.handle()
        .set_behavior(answer(429, &[("retry-after", "2")]));

    let clients: Vec<_> = (0..5).map(|_| gateway.http2()).collect();
    let asking = clients
        .iter()
        .flat_map(|client| (0..100).map(|_| ask(client)));
    let answers = join_all(asking).await;
    best.handle().set_behavior(Behavior::echo());

    assert_eq!(answers.len(), 500);
    for answer in &answers {
        assert_eq!((answer.status, &*answer.body), (200, &b"question"[..]));
    }
    let served = a.handle().stats().served + b.handle().stats().served;
    assert_eq!(served + best.handle().stats().served, 500);

    // Whoever was refused went elsewhere at once, and nobody was refused twice.
    let refused = best.handle().stats().throttled;
    let requests = gateway.wait_for_requests(500).await;
    assert!(requests.iter().all(|line| number(line, "attempts") <= 2));
    let twice = requests.iter().filter(|line| number(line, "attempts") == 2);
    assert_eq!(twice.count() as u64, refused);

    // It said for how long: then, and not before, it is used again.
    soon(async {
        while ask(&clients[0]).await.backend() != "best" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let requests = best.handle().requests();
    let [.., last_refused, first_served] = &requests[..] else {
        panic!("it was asked {} times", requests.len());
    };
    assert!(first_served.at - last_refused.at >= Duration::from_secs(2));
}

async fn only_requests_already_on_their_way_reach_a_backend_that_throttles(program: Program) {
    const CLIENTS: usize = 20;
    let (gateway, [best, a, b]) = in_front_of_three(program).await;
    best.handle()
        .set_behavior(answer(429, &[("retry-after", "50")]));

    // Each client has one request on its way at a time.
    let clients = (0..CLIENTS).map(|_| async {
        let client = Client::http1(gateway.address());
        for _ in 0..25 {
            assert_eq!(ask(&client).await.status, 200);
        }
    });
    join_all(clients).await;

    let refused = best.handle().stats().received;
    assert!(
        (1..=CLIENTS as u64).contains(&refused),
        "{refused} requests"
    );
    let served = a.handle().stats().served + b.handle().stats().served;
    assert_eq!(served, CLIENTS as u64 * 25);
    assert_eq!(gateway.wait_for_closed(CLIENTS * 25).await.len(), 1);
}
