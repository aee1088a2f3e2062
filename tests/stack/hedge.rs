//! Hedging over the whole stack: a second attempt at another backend, and the fate of the loser.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use spillover_testing::{Probe, ScriptedBody, probe::ProbeHandle};
use spillover_tests::stack::{Deployment, SECOND};
use tokio::time::{Instant, advance, sleep};
use tokio_test::{assert_pending, task};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_spillover::{
    Affinity, Attempts, Backend, Condition, Counts, Outcome, Pool, Query, Scope, Selected,
    hedge::{HedgeLayer, Hedged},
    retry::{ReplayBody, ReplayLimits, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::{PrioritySelectLayer, WhenExhausted},
    steer::BackendSteer,
    throttle::ThrottleTrackerLayer,
};

// The gateway does not hedge.
spillover_tests::on_deployments! { [SharedClient PerBackend]
    quick_answer_is_the_only_attempt
    hedge_goes_to_another_backend_and_wins
    first_attempt_may_still_win
    refusal_before_the_delay_fails_over_without_a_hedge
    refused_hedge_closes_its_backend_and_the_first_attempt_continues
    third_backend_serves_after_two_refusals
    each_attempt_may_be_hedged
    hedges_count_as_attempts
    hedge_never_calls_a_backend_twice
    backend_that_opened_after_the_hedge_is_tried
    incomplete_body_is_not_hedged
    body_sent_in_parts_is_hedged_whole
    body_that_was_not_kept_is_not_hedged
    request_that_waited_is_not_hedged
    pinned_request_is_not_hedged
    probe_that_lost_allows_the_next_probe
    client_that_goes_away_cancels_both_attempts
}

type Client = Probe<ReplayBody<Body>, Body, BoxError>;

/// The time in seconds, and the status that a backend then answers with.
type Reply = (u32, u16);

const DELAY: Duration = Duration::from_secs(2);

const SLOW: Reply = (30, 200);

const QUICK: Reply = (0, 200);

/// A request that a backend received: its label, seconds since the beginning, and the body.
type Seen = (String, u64, Bytes);

struct Settings {
    retry: RetryThrottledLayer,
    when_exhausted: WhenExhausted,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryThrottledLayer::new(),
            when_exhausted: WhenExhausted::default(),
        }
    }
}

struct Stack {
    pool: Pool,
    service: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
    seen: Arc<Mutex<Vec<Seen>>>,
    clients: Vec<ProbeHandle<BoxError>>,
}

impl Stack {
    /// Creates backends in tiers of their own, each with its reply.
    fn new<const N: usize>(deployment: Deployment, replies: [(&'static str, Reply); N]) -> Self {
        Self::with(deployment, Settings::default(), replies)
    }

    fn with<const N: usize>(
        deployment: Deployment,
        settings: Settings,
        replies: [(&'static str, Reply); N],
    ) -> Self {
        let backend = |((label, _), priority): ((&str, _), u32)| {
            let builder = Backend::builder(label).url(format!("https://{label}.example"));
            builder.priority(priority).build().unwrap()
        };
        let pool = Pool::new(replies.into_iter().zip(1..).map(backend)).unwrap();
        let seen = Arc::default();
        let mut clients = Vec::new();
        let mut client = || {
            let client = client(replies.to_vec(), Arc::clone(&seen));
            clients.push(client.handle());
            client
        };
        let service = match deployment {
            Deployment::SharedClient => layers(settings, &pool, client()),
            _ => layers(settings, &pool, BackendSteer::new(&pool, |_| client())),
        };
        Self {
            pool,
            service,
            seen,
            clients,
        }
    }

    async fn send(&self) -> Response<Body> {
        self.send_body("question").await
    }

    async fn send_body(&self, body: impl Into<Body>) -> Response<Body> {
        let request = Request::post("/v1/chat/completions").body(body.into());
        let response = self.service.clone().oneshot(request.unwrap()).await;
        response.unwrap()
    }

    /// Returns the label and the second of each attempt, and checks that each got the whole body.
    fn attempts(&self, body: &str) -> Vec<(String, u64)> {
        let seen = self.seen.lock().unwrap();
        let attempt = |(label, at, sent): &Seen| {
            assert_eq!(sent, body);
            (label.clone(), *at)
        };
        seen.iter().map(attempt).collect()
    }

    fn in_flight(&self) -> usize {
        assert!(self.clients.iter().all(|client| client.violations() == 0));
        self.clients.iter().map(ProbeHandle::in_flight).sum()
    }

    fn conditions(&self) -> Vec<Condition> {
        let snapshots = self.pool.snapshot(Scope::BACKEND, Instant::now());
        snapshots.iter().map(|it| it.condition()).collect()
    }

    fn counts(&self, index: usize) -> Counts {
        self.pool.snapshot(Scope::BACKEND, Instant::now())[index].counts()
    }

    /// Throttles the backend with this index for this long.
    fn throttle(&self, index: usize, wait: Duration) {
        let others = Attempts::new();
        let all = 0..self.pool.backends().len();
        all.filter(|&other| other != index)
            .for_each(|other| others.mark(other));
        let now = Instant::now();
        let selected = self.pool.select(&Query::new().attempts(&others), now, 0);
        let selected = selected.expect("it is open");
        selected.record(&Outcome::throttled(wait), now);
    }
}

fn layers<S>(
    settings: Settings,
    pool: &Pool,
    client: S,
) -> BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>
where
    S: Service<
            Request<ReplayBody<Body>>,
            Response = Response<Body>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let select = PrioritySelectLayer::new(pool.clone()).when_exhausted(settings.when_exhausted);
    let service = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(settings.retry)
        .layer(HedgeLayer::new(DELAY))
        .layer(select)
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(client);
    BoxCloneSyncService::new(service)
}

/// Reads the body, and plays the reply of the backend that the authority names.
fn client(replies: Vec<(&'static str, Reply)>, seen: Arc<Mutex<Vec<Seen>>>) -> Client {
    let begun = Instant::now();
    Probe::new(move |request: Request<ReplayBody<Body>>| {
        let label = request.uri().host().and_then(|host| host.split('.').next());
        let label = label.expect("a backend of the pool").to_owned();
        let reply = replies.iter().find(|(of, _)| *of == label);
        let (_, (seconds, status)) = *reply.expect("a backend of the pool");
        let at = (Instant::now() - begun).as_secs();
        let seen = Arc::clone(&seen);
        async move {
            let number = seen.lock().unwrap().len();
            seen.lock().unwrap().push((label, at, Bytes::new()));
            let body = request.into_body().collect().await?.to_bytes();
            seen.lock().unwrap()[number].2 = body;
            sleep(SECOND * seconds).await;
            Ok(Response::builder().status(status).body(Body::empty())?)
        }
    })
}

fn attempts<const N: usize>(attempts: [(&str, u64); N]) -> Vec<(String, u64)> {
    let owned = |(label, at): (&str, u64)| (label.to_owned(), at);
    attempts.map(owned).to_vec()
}

/// Returns status, label of the backend, number of attempts, and if there was a hedge, whether it won.
fn summary(response: &Response<Body>) -> (u16, &str, u32, Option<bool>) {
    let extensions = response.extensions();
    let selected = extensions.get::<Selected>().expect("a Selected");
    let hedged = extensions.get::<Hedged>().map(|hedged| hedged.has_won());
    let attempts = extensions.get::<Attempts>().map_or(1, Attempts::count);
    let label = selected.backend().label();
    (response.status().as_u16(), label, attempts, hedged)
}

async fn quick_answer_is_the_only_attempt(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", (1, 200)), ("b", QUICK)]);
    assert_eq!(summary(&stack.send().await), (200, "a", 1, None));
    sleep(10 * DELAY).await;
    assert_eq!(stack.attempts("question"), attempts([("a", 0)]));
}

async fn hedge_goes_to_another_backend_and_wins(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", SLOW), ("b", QUICK)]);
    assert_eq!(summary(&stack.send().await), (200, "b", 2, Some(true)));
    assert_eq!(stack.attempts("question"), attempts([("a", 0), ("b", 2)]));
    assert_eq!(stack.in_flight(), 0);
    // The loser is neither closed nor counted as failed.
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
    let (loser, winner) = (stack.counts(0), stack.counts(1));
    assert_eq!((loser.cancelled, loser.failed, loser.answered), (1, 0, 0));
    assert_eq!((winner.cancelled, winner.answered), (0, 1));
}

async fn first_attempt_may_still_win(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", (3, 200)), ("b", SLOW)]);
    assert_eq!(summary(&stack.send().await), (200, "a", 2, Some(false)));
    assert_eq!(stack.in_flight(), 0);
    assert_eq!(stack.counts(1).cancelled, 1);
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}

async fn refusal_before_the_delay_fails_over_without_a_hedge(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", (1, 503)), ("b", (1, 200)), ("c", QUICK)]);
    assert_eq!(summary(&stack.send().await), (200, "b", 2, None));
    assert_eq!(stack.attempts("question"), attempts([("a", 0), ("b", 1)]));
}

async fn refused_hedge_closes_its_backend_and_the_first_attempt_continues(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", (9, 200)), ("b", (1, 429)), ("c", QUICK)]);
    assert_eq!(summary(&stack.send().await), (200, "a", 2, Some(false)));
    assert_eq!(stack.attempts("question"), attempts([("a", 0), ("b", 2)]));
    // For 10 s from the third second on.
    let throttled = Condition::Throttled(4 * SECOND);
    assert_eq!(
        stack.conditions(),
        [Condition::Open, throttled, Condition::Open]
    );
}

async fn third_backend_serves_after_two_refusals(deployment: Deployment) {
    for first in [3, 9] {
        let replies = [("a", (first, 503)), ("b", (5, 429)), ("c", QUICK)];
        let stack = Stack::new(deployment, replies);
        assert_eq!(summary(&stack.send().await), (200, "c", 3, None));
        let both_over = u64::from(first.max(7));
        assert_eq!(
            stack.attempts("question"),
            attempts([("a", 0), ("b", 2), ("c", both_over)])
        );
    }
}

async fn each_attempt_may_be_hedged(deployment: Deployment) {
    let replies = [("a", (1, 503)), ("b", SLOW), ("c", (1, 200))];
    let stack = Stack::new(deployment, replies);
    assert_eq!(summary(&stack.send().await), (200, "c", 3, Some(true)));
    assert_eq!(
        stack.attempts("question"),
        attempts([("a", 0), ("b", 1), ("c", 3)])
    );
}

async fn hedges_count_as_attempts(deployment: Deployment) {
    let settings = Settings {
        retry: RetryThrottledLayer::new().max_attempts(2),
        ..Settings::default()
    };
    let replies = [("a", (3, 503)), ("b", (5, 503)), ("c", QUICK)];
    let stack = Stack::with(deployment, settings, replies);
    assert_eq!(summary(&stack.send().await), (503, "b", 2, Some(true)));
}

async fn hedge_never_calls_a_backend_twice(deployment: Deployment) {
    for status in [200, 503] {
        let stack = Stack::new(deployment, [("a", (9, status))]);
        assert_eq!(summary(&stack.send().await), (status, "a", 1, None));
        assert_eq!(stack.attempts("question"), attempts([("a", 0)]));
    }
    // The same when the others are throttled.
    let stack = Stack::new(deployment, [("a", (9, 200)), ("b", QUICK)]);
    stack.throttle(1, 60 * SECOND);
    assert_eq!(summary(&stack.send().await), (200, "a", 1, None));
}

async fn backend_that_opened_after_the_hedge_is_tried(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", (9, 503)), ("b", QUICK)]);
    stack.throttle(1, 5 * SECOND);
    // The hedge found no backend at second 2; the refusal comes at second 9.
    assert_eq!(summary(&stack.send().await), (200, "b", 2, None));
    assert_eq!(stack.attempts("question"), attempts([("a", 0), ("b", 9)]));
}

async fn incomplete_body_is_not_hedged(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", SLOW), ("b", QUICK)]);
    let body = ScriptedBody::new().data("quest").pause();
    let client = body.handle();
    let mut sent = task::spawn(stack.send_body(Body::new(body)));
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    client.push_data("ion");
    client.resume();
    let response = sent.await;
    assert_eq!(summary(&response), (200, "a", 1, None));
    assert_eq!(stack.attempts("question"), attempts([("a", 0)]));
}

async fn body_sent_in_parts_is_hedged_whole(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", SLOW), ("b", QUICK)]);
    let body = ScriptedBody::new().data("quest").pause();
    let client = body.handle();
    let mut sent = task::spawn(stack.send_body(Body::new(body)));
    assert_pending!(sent.poll());
    advance(SECOND).await;
    client.push_data("ion");
    client.resume();
    let response = sent.await;
    assert_eq!(summary(&response), (200, "b", 2, Some(true)));
    assert_eq!(stack.attempts("question"), attempts([("a", 0), ("b", 2)]));
}

async fn body_that_was_not_kept_is_not_hedged(deployment: Deployment) {
    let limits = ReplayLimits::default().per_request(3);
    let settings = Settings {
        retry: RetryThrottledLayer::new().replay_limits(limits),
        ..Settings::default()
    };
    let stack = Stack::with(deployment, settings, [("a", SLOW), ("b", QUICK)]);
    assert_eq!(summary(&stack.send().await), (200, "a", 1, None));
    assert_eq!(stack.attempts("question"), attempts([("a", 0)]));
}

async fn request_that_waited_is_not_hedged(deployment: Deployment) {
    let settings = Settings {
        when_exhausted: WhenExhausted::Wait(60 * SECOND),
        ..Settings::default()
    };
    let stack = Stack::with(deployment, settings, [("a", SLOW), ("b", QUICK)]);
    stack.throttle(1, 5 * SECOND);
    stack.throttle(0, 5 * SECOND);
    // Without a body, nothing needs to be kept.
    let response = stack.send_body(Body::empty()).await;
    assert_eq!(summary(&response), (200, "a", 1, None));
    assert_eq!(stack.attempts(""), attempts([("a", 5)]));
}

async fn pinned_request_is_not_hedged(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", QUICK), ("b", SLOW), ("c", QUICK)]);
    for (affinity, expected) in [
        (Affinity::to_backend("b").pinned(), ("b", None)),
        (Affinity::to_backend("b"), ("a", Some(true))),
    ] {
        let mut request = Request::new(Body::from("question"));
        request.extensions_mut().insert(affinity);
        let response = stack.service.clone().oneshot(request).await.unwrap();
        let selected = response.extensions().get::<Selected>().unwrap();
        let hedged = response.extensions().get::<Hedged>();
        let label = selected.backend().label();
        assert_eq!((label, hedged.map(|it| it.has_won())), expected);
    }
}

async fn probe_that_lost_allows_the_next_probe(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", SLOW), ("b", QUICK)]);
    let now = Instant::now();
    let selected = stack.pool.first(&Query::new(), now).unwrap();
    selected.record(&Outcome::failing(SECOND), now);
    sleep(SECOND).await;
    for _ in 0..2 {
        assert_eq!(summary(&stack.send().await), (200, "b", 2, Some(true)));
    }
    assert_eq!(stack.counts(0).cancelled, 2);
}

async fn client_that_goes_away_cancels_both_attempts(deployment: Deployment) {
    let stack = Stack::new(deployment, [("a", SLOW), ("b", SLOW)]);
    let mut sent = task::spawn(stack.send());
    assert_pending!(sent.poll());
    advance(DELAY).await;
    assert_pending!(sent.poll());
    assert_eq!(stack.in_flight(), 2);
    drop(sent);
    assert_eq!(stack.in_flight(), 0);
    assert_eq!([0, 1].map(|index| stack.counts(index).cancelled), [1, 1]);
    assert_eq!(stack.conditions(), [Condition::Open; 2]);
}
