//! Own limits and load: the number of concurrent requests per backend, up to the end of their bodies, and the order of
//! waiters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use spillover_testing::{Probe, ScriptedBody};
use spillover_tests::{
    on_deployments,
    stack::{Deployment, SECOND},
};
use tokio::time::{Instant, sleep, timeout};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_spillover::{
    Backend, PeakEwma, Pool, Scope, Selected,
    limit::ConcurrencyLimitLayer,
    retry::{ReplayBody, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::{PrioritySelectLayer, WhenExhausted},
    steer::BackendSteer,
    throttle::ThrottleTrackerLayer,
};

on_deployments! { [SharedClient PerBackend]
    full_backend_spills_until_a_body_ends
    dropped_stream_frees_its_permit
    broken_body_frees_its_permit
    waiting_request_is_served_when_a_body_ends
    waiting_request_holds_no_permit
    slower_backend_of_a_tier_gets_fewer_requests
    failing_backend_never_looks_fast
    cancelled_requests_free_their_permits
    streams_in_flight_stay_within_the_limit
}

const MS: Duration = Duration::from_millis(1);

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;
type Client = Probe<ReplayBody<Body>, Body, BoxError>;

/// The delay of a backend's answer, its status and its body.
struct Reply(Duration, u16, ScriptedBody);

struct Stack {
    pool: Pool,
    service: Service,
}

/// Returns a pool with one or several tiers, each backend at `https://<label>.example` with its limit; 0 means none.
fn pool<const N: usize>(backends: [(&str, u32, u32); N]) -> Pool {
    Pool::new(backends.map(|(label, priority, max)| {
        let builder = Backend::builder(label).url(format!("https://{label}.example"));
        let builder = builder.priority(priority);
        let builder = if max > 0 {
            builder.max_concurrency(max)
        } else {
            builder
        };
        builder.build().unwrap()
    }))
    .unwrap()
}

impl Stack {
    fn new(
        deployment: Deployment,
        pool: Pool,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let client: Client = Probe::new(move |request: Request<ReplayBody<Body>>| {
            let label = request.uri().host().unwrap().strip_suffix(".example");
            let Reply(delay, status, body) = reply(label.unwrap());
            async move {
                sleep(delay).await;
                let response = Response::builder().status(status);
                Ok(response.body(Body::new(body))?)
            }
        });
        let service = match deployment {
            Deployment::SharedClient => layers(&pool, client),
            _ => layers(&pool, BackendSteer::new(&pool, |_| client.clone())),
        };
        Self { pool, service }
    }

    async fn send(&self) -> Response<Body> {
        let request = Request::post("/v1/chat/completions");
        let request = request.body(Body::from("question")).unwrap();
        self.service.clone().oneshot(request).await.unwrap()
    }

    fn in_flight(&self) -> Vec<u32> {
        let snapshots = self.pool.snapshot(Scope::BACKEND, Instant::now());
        snapshots.iter().map(|it| it.in_flight()).collect()
    }
}

fn layers<S>(pool: &Pool, client: S) -> Service
where
    S: tower::Service<Request<ReplayBody<Body>>, Response = Response<Body>, Error = BoxError>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let rng = Arc::new(Mutex::new(SmallRng::seed_from_u64(7)));
    let select = PrioritySelectLayer::new(pool.clone())
        .when_exhausted(WhenExhausted::Wait(30 * SECOND))
        .with_draw(move || rng.lock().unwrap().random::<u64>())
        .with_strategy(PeakEwma::default());
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(RetryThrottledLayer::new())
        .layer(select)
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(client);
    BoxCloneSyncService::new(service)
}

fn label(response: &Response<Body>) -> String {
    let selected = response.extensions().get::<Selected>().unwrap();
    selected.backend().label().to_owned()
}

/// Returns a stream whose second part comes when the test resumes it.
fn stream() -> ScriptedBody {
    ScriptedBody::new().data("one").pause().data("two")
}

fn served() -> Reply {
    Reply(Duration::ZERO, 200, ScriptedBody::new().data("answer"))
}

/// Returns the first stream as well, so that a test can resume it.
fn one_stream() -> (
    spillover_testing::body::BodyHandle,
    impl Fn(&str) -> Reply + Send + Sync + 'static,
) {
    let body = stream();
    let handle = body.handle();
    let first = Mutex::new(Some(body));
    let reply = move |_: &str| {
        let body = first.lock().unwrap().take().unwrap_or_else(stream);
        Reply(Duration::ZERO, 200, body)
    };
    (handle, reply)
}

async fn full_backend_spills_until_a_body_ends(deployment: Deployment) {
    let (handle, reply) = one_stream();
    let stack = Stack::new(deployment, pool([("a", 1, 1), ("b", 2, 0)]), reply);
    let (head, body) = stack.send().await.into_parts();
    assert_eq!(label(&stack.send().await), "b");

    handle.resume();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "onetwo");
    assert_eq!(label(&stack.send().await), "a");
    // Dropping the head, which names the backend, does not matter.
    drop(head);
}

async fn dropped_stream_frees_its_permit(deployment: Deployment) {
    let (_, reply) = one_stream();
    let stack = Stack::new(deployment, pool([("a", 1, 1), ("b", 2, 0)]), reply);
    let (head, mut body) = stack.send().await.into_parts();
    body.frame().await.unwrap().unwrap();
    assert_eq!(label(&stack.send().await), "b");
    drop(body);
    assert_eq!(label(&stack.send().await), "a");
    drop(head);
}

async fn broken_body_frees_its_permit(deployment: Deployment) {
    let stack = Stack::new(deployment, pool([("a", 1, 1), ("b", 2, 0)]), |_| {
        let body = ScriptedBody::new().data("one").error("reset by peer");
        Reply(Duration::ZERO, 200, body)
    });
    let (head, mut body) = stack.send().await.into_parts();
    body.frame().await.unwrap().unwrap();
    assert_eq!(stack.in_flight(), [1, 0]);
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(stack.in_flight(), [0, 0]);
    let counts = stack.pool.snapshot(Scope::BACKEND, Instant::now())[0].counts();
    assert_eq!((counts.answered, counts.broken), (1, 1));
    drop((head, body));
}

async fn waiting_request_holds_no_permit(deployment: Deployment) {
    let count = Mutex::new(0);
    let stack = Stack::new(deployment, pool([("a", 1, 1)]), move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let status = if *count == 1 { 429 } else { 200 };
        Reply(Duration::ZERO, status, ScriptedBody::new().data("words"))
    });
    let start = Instant::now();
    let response = stack.send().await;
    assert_eq!(response.status(), 200);
    // The default, because the refusal stated no wait.
    assert_eq!(Instant::now() - start, 10 * SECOND);
    drop(response);
    assert_eq!(stack.in_flight(), [0]);
}

async fn waiting_request_is_served_when_a_body_ends(deployment: Deployment) {
    let (handle, reply) = one_stream();
    let stack = Stack::new(deployment, pool([("a", 1, 1)]), reply);
    let first = stack.send().await;
    let mut waits = tokio_test::task::spawn(stack.send());
    tokio_test::assert_pending!(waits.poll());
    sleep(SECOND / 2).await;
    handle.resume();
    first.into_body().collect().await.unwrap();
    assert!(waits.is_woken());
    let answer = tokio_test::assert_ready!(waits.poll());
    assert_eq!(
        (answer.status().as_u16(), label(&answer)),
        (200, "a".into())
    );
}

/// Returns the number of requests that each backend answers when requests come at this interval.
async fn shares(stack: &Stack, requests: usize, every: Duration) -> HashMap<String, usize> {
    let mut sent = Vec::new();
    for _ in 0..requests {
        let service = stack.service.clone();
        sent.push(tokio::spawn(async move {
            let request = Request::post("/v1/chat/completions");
            let request = request.body(Body::from("question")).unwrap();
            let response = service.oneshot(request).await.unwrap();
            let label = label(&response);
            response.into_body().collect().await.unwrap();
            label
        }));
        sleep(every).await;
    }
    let mut shares = HashMap::new();
    for sent in sent {
        *shares.entry(sent.await.unwrap()).or_default() += 1;
    }
    shares
}

async fn slower_backend_of_a_tier_gets_fewer_requests(deployment: Deployment) {
    let backends = pool([("fast", 1, 0), ("slow", 1, 0)]);
    let stack = Stack::new(deployment, backends, |label| {
        let delay = if label == "slow" { 800 } else { 50 };
        Reply(delay * MS, 200, ScriptedBody::new().data("answer"))
    });
    let shares = shares(&stack, 1000, 10 * MS).await;
    // Drawn by weight it would be 500.
    assert!(shares["slow"] < 120, "{shares:?}");
    assert!(shares["slow"] > 0, "it is tried again");
    assert_eq!(stack.in_flight(), [0, 0]);
}

async fn failing_backend_never_looks_fast(deployment: Deployment) {
    for status in [400, 413] {
        let backends = pool([("works", 1, 0), ("errs", 1, 0)]);
        let stack = Stack::new(deployment, backends, move |label| {
            let (delay, status) = if label == "errs" {
                (MS, status)
            } else {
                (100 * MS, 200)
            };
            Reply(delay, status, ScriptedBody::new().data("answer"))
        });
        shares(&stack, 1000, 10 * MS).await;
        let snapshots = stack.pool.snapshot(Scope::BACKEND, Instant::now());
        let counts = snapshots[1].counts();
        let at_errs = counts.answered + counts.refused;
        // The failing backend is always idle, and looks a hundred times as fast by its answers.
        assert!((1..10).contains(&at_errs), "{status}: {at_errs}");
    }
}

async fn cancelled_requests_free_their_permits(deployment: Deployment) {
    let backends = pool([("a", 1, 5), ("b", 1, 5), ("c", 2, 5)]);
    let rng = Mutex::new(SmallRng::seed_from_u64(11));
    let stack = Stack::new(deployment, backends, move |_| {
        let mut rng = rng.lock().unwrap();
        let status = [200, 200, 200, 413, 503, 400][rng.random_range(0..6)];
        let body = match rng.random_range(0..4) {
            0 => ScriptedBody::new(),
            1 => ScriptedBody::new().data("one").error("reset by peer"),
            2 => stream(),
            _ => ScriptedBody::new().data("one").pending().data("two"),
        };
        Reply(rng.random_range(0..100) * MS, status, body)
    });

    let mut rng = SmallRng::seed_from_u64(12);
    let sent: Vec<_> = (0..1000)
        .map(|_| {
            let service = stack.service.clone();
            let (begins, patience) = (rng.random_range(0..5000), rng.random_range(0..400));
            tokio::spawn(async move {
                sleep(begins * MS).await;
                let request = Request::post("/v1/chat/completions");
                let request = request.body(Body::from("question")).unwrap();
                let all = async {
                    let response = service.oneshot(request).await.unwrap();
                    let (head, body) = response.into_parts();
                    let _ = body.collect().await;
                    head
                };
                timeout(patience * MS, all).await.ok()
            })
        })
        .collect();
    sleep(2500 * MS).await;
    assert!(stack.in_flight().iter().all(|in_flight| *in_flight <= 5));
    assert!(stack.in_flight().iter().sum::<u32>() > 0);
    let mut heads = Vec::new();
    for sent in sent {
        heads.push(sent.await.unwrap());
    }
    assert_eq!(stack.in_flight(), [0, 0, 0]);
    assert!(heads.iter().flatten().count() > 100);
}

async fn streams_in_flight_stay_within_the_limit(deployment: Deployment) {
    let stack = Stack::new(deployment, pool([("a", 1, 0)]), |_| served());
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(3))
        .service(stack.service.clone());
    let request = || Request::post("/").body(Body::from("question")).unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(service.clone().oneshot(request()).await.unwrap());
    }
    assert_eq!(stack.in_flight(), [3]);
    let mut waits = tokio_test::task::spawn(service.oneshot(request()));
    tokio_test::assert_pending!(waits.poll());
    answers.remove(1).into_body().collect().await.unwrap();
    assert!(waits.is_woken());
    assert_eq!(stack.in_flight(), [2]);
}
