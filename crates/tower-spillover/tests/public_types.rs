//! Properties of all public types: they are `Send` and `Sync`, and their debug output has no secret.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{convert::Infallible, fmt::Debug, future::Pending, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::Service;
use tower_layer::Layer;
use tower_spillover::{
    Affinity, Answer, Attempts, Backend, BackendBuilder, BackendSnapshot, Candidate, Candidates,
    Cause, Change, Class, Condition, Cooldown, Cooldowns, Counts, Credential, Exhausted,
    GrpcClassifier, InvalidBackend, InvalidPool, Opening, Outcome, PeakEwma, Pool, Query, Recorded,
    Scope, Selected, Silence, StatusClassifier, Turn, Waiter, Weighted,
    body::GuardedBody,
    hedge::{self, EveryRequest, Hedge, HedgeLayer, Hedged},
    limit::{self, ConcurrencyLimit, ConcurrencyLimitLayer, Permit},
    patience::{self, AttemptLimit, Patience, PatienceLayer},
    peek::{self, Peek, PeekedBody, StreamPeekLayer},
    refusal::ReadRefusalLayer,
    retry::{self, ReplayBody, ReplayError, ReplayLimits, RetryThrottled, RetryThrottledLayer},
    rewrite::{RewriteRequest, RewriteRequestLayer},
    select::{self, EmptyResponse, PrioritySelect, PrioritySelectLayer, ThreadDraw, WhenExhausted},
    stack::{self, ResponseBody, Spillover, SpilloverLayer},
    steer::{self, BackendSteer, NotSelected},
    throttle::{self, Attempt, ThrottleTracker, ThrottleTrackerLayer},
};

type Body = Full<Bytes>;
type Inner = Probe<Body, (), Infallible>;
type ReplayInner = Probe<ReplayBody<Body>, (), Infallible>;

const SECOND: Duration = Duration::from_secs(1);

const SECRET: &str = "hunter2";

#[test]
fn public_types_are_send_sync_and_debug() {
    fn check<T: Send + Sync + Unpin + Debug + 'static>() {}
    check::<Affinity>();
    check::<Answer<'static, Infallible>>();
    check::<Backend>();
    check::<BackendBuilder>();
    check::<BackendSnapshot>();
    check::<Candidate<'static>>();
    check::<Candidates<'static>>();
    check::<Change>();
    check::<Class>();
    check::<Condition>();
    check::<Cooldown>();
    check::<Cooldowns>();
    check::<Credential>();
    check::<Exhausted>();
    check::<InvalidBackend>();
    check::<InvalidPool>();
    check::<Outcome>();
    check::<Cause>();
    check::<Counts>();
    check::<Opening>();
    check::<PeakEwma>();
    check::<Pool>();
    check::<Query<'static>>();
    check::<Recorded>();
    check::<Silence>();
    check::<Turn>();
    check::<Waiter>();
    check::<Scope>();
    check::<Selected>();
    check::<GrpcClassifier>();
    check::<StatusClassifier>();
    check::<Attempts>();
    check::<Weighted>();

    check::<GuardedBody<Body, Permit>>();
    check::<ConcurrencyLimit<Inner>>();
    check::<ConcurrencyLimitLayer>();
    check::<Permit>();

    check::<EveryRequest>();
    check::<Hedge<Inner>>();
    check::<HedgeLayer>();
    check::<Hedged>();

    check::<ReplayBody<Body>>();
    check::<ReplayError>();
    check::<ReplayLimits>();
    check::<RetryThrottled<ReplayInner>>();
    check::<RetryThrottledLayer>();

    check::<AttemptLimit>();
    check::<Patience<Inner>>();
    check::<PatienceLayer>();

    check::<PeekedBody<Body>>();
    check::<Peek<Inner>>();
    check::<StreamPeekLayer>();

    check::<ReadRefusalLayer>();

    check::<RewriteRequest<Inner>>();
    check::<RewriteRequestLayer>();

    check::<EmptyResponse>();
    check::<PrioritySelect<Inner>>();
    check::<PrioritySelectLayer>();
    check::<ThreadDraw>();
    check::<WhenExhausted>();

    check::<ResponseBody<Body>>();
    check::<Spillover<ReplayInner>>();
    check::<SpilloverLayer>();

    check::<BackendSteer<Inner>>();
    check::<NotSelected>();

    check::<Attempt>();
    check::<GuardedBody<Body, Attempt>>();
    check::<ThrottleTracker<Inner>>();
    check::<ThrottleTrackerLayer>();
}

#[test]
fn futures_are_send_and_debug() {
    fn check<T: Send + Debug + 'static>() {}
    check::<hedge::ResponseFuture<Inner, StatusClassifier, Body>>();
    check::<retry::ResponseFuture<ReplayInner, StatusClassifier, Body>>();
    check::<patience::ResponseFuture<Pending<()>>>();
    check::<peek::ResponseFuture<Pending<()>, Body>>();
    check::<limit::ResponseFuture<Pending<()>>>();
    check::<select::ResponseFuture<Inner, ThreadDraw, EmptyResponse, Weighted, Body, ()>>();
    check::<stack::ResponseFuture<Pending<()>>>();
    check::<steer::ResponseFuture<Inner, Body>>();
    check::<throttle::ResponseFuture<Pending<()>, StatusClassifier>>();
}

#[test]
fn layers_and_services_are_clone() {
    fn check<T: Clone>() {}
    check::<(HedgeLayer, Hedge<Inner>)>();
    check::<(RetryThrottledLayer, RetryThrottled<ReplayInner>)>();
    check::<(PrioritySelectLayer, PrioritySelect<Inner>)>();
    check::<(PatienceLayer, Patience<Inner>)>();
    check::<(StreamPeekLayer, Peek<Inner>)>();
    check::<(ConcurrencyLimitLayer, ConcurrencyLimit<Inner>)>();
    check::<(ReadRefusalLayer, Peek<Inner>)>();
    check::<(RewriteRequestLayer, RewriteRequest<Inner>)>();
    check::<(
        SpilloverLayer,
        <SpilloverLayer as Layer<ReplayInner>>::Service,
    )>();
    check::<(ThrottleTrackerLayer, ThrottleTracker<Inner>)>();
    check::<BackendSteer<Inner>>();
    check::<(ReplayBody<Body>, ReplayLimits)>();
}

#[test]
fn error_types_implement_error() {
    fn check<T: std::error::Error + Send + Sync + 'static>() {}
    check::<InvalidBackend>();
    check::<InvalidPool>();
    check::<NotSelected>();
    check::<ReplayError>();
}

/// Asserts that neither the plain nor the indented debug output has the secret.
#[track_caller]
fn hides_the_secret(value: &impl Debug) {
    for printed in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!printed.contains(SECRET), "{printed}");
    }
}

fn credentials() -> [Credential; 3] {
    let name = HeaderName::from_static("x-api-key");
    [
        Credential::api_key(SECRET).unwrap(),
        Credential::bearer(SECRET).unwrap(),
        Credential::header(name, SECRET).unwrap(),
    ]
}

fn builder(credential: Credential) -> BackendBuilder {
    let builder = Backend::builder("a").url("https://a.example");
    builder.credential(credential)
}

fn pool(credential: Credential) -> Pool {
    Pool::new([builder(credential).build().unwrap()]).unwrap()
}

/// Creates a request with a credential of the client.
fn request(pool: &Pool) -> Request<Body> {
    let request = Request::post("/v1/chat/completions").header("authorization", SECRET);
    let mut request = request.body(Full::from(SECRET)).unwrap();
    let selected = pool
        .select(&Query::new(), Instant::now(), 0)
        .expect("it is open");
    request.extensions_mut().insert(selected);
    request
}

#[test]
fn debug_output_of_a_backend_hides_its_credential() {
    for credential in credentials() {
        hides_the_secret(&credential);
        hides_the_secret(&builder(credential.clone()));
        hides_the_secret(&builder(credential.clone()).build());
        let pool = pool(credential);
        let now = Instant::now();
        hides_the_secret(&pool);
        hides_the_secret(&pool.snapshot(Scope::BACKEND, now));
        hides_the_secret(&pool.first(&Query::new(), now));
        let backend = pool.backends().next();
        hides_the_secret(&Answer::<()>::response(&Response::new(()), backend));
    }
}

#[test]
fn error_does_not_repeat_a_misplaced_secret() {
    let userinfo = Backend::builder("a").url(format!("https://user:{SECRET}@a.example"));
    let query = Backend::builder("a").url(format!("https://a.example?key={SECRET}"));
    for builder in [userinfo, query] {
        hides_the_secret(&builder);
        hides_the_secret(&builder.build());
    }
    hides_the_secret(&Credential::api_key(format!("{SECRET}\n")));
    hides_the_secret(&Credential::bearer(format!("{SECRET}\n")));
}

#[test]
fn layers_and_services_hide_the_credentials_of_their_pool() {
    for credential in credentials() {
        let pool = pool(credential);
        let inner = || Inner::new(|_| std::future::pending());
        let select = PrioritySelectLayer::new(pool.clone());
        hides_the_secret(&select);
        hides_the_secret(&select.layer(inner()));
        hides_the_secret(&HedgeLayer::new(SECOND).layer(select.layer(inner())));
        hides_the_secret(&RewriteRequestLayer::new().layer(inner()));
        hides_the_secret(&ThrottleTrackerLayer::new().layer(inner()));
        hides_the_secret(&RetryThrottledLayer::new().layer(inner()));
        hides_the_secret(&BackendSteer::new(&pool, |_| inner()));
    }
}

#[tokio::test(start_paused = true)]
async fn futures_hide_the_credentials_of_client_and_backend() {
    fn call<B, S: Service<Request<B>>>(mut service: S, request: Request<B>) -> S::Future
    where
        S::Error: Debug,
    {
        let mut ready = tokio_test::task::spawn(());
        tokio_test::assert_ready_ok!(ready.enter(|cx, _| service.poll_ready(cx)));
        service.call(request)
    }

    for credential in credentials() {
        let pool = pool(credential);
        let inner = || Inner::new(|_| std::future::pending());
        let select = PrioritySelectLayer::new(pool.clone());
        hides_the_secret(&call(select.layer(inner()), request(&pool)));
        let hedge = HedgeLayer::new(SECOND);
        hides_the_secret(&call(hedge.layer(inner()), request(&pool)));
        hides_the_secret(&call(
            RewriteRequestLayer::new().layer(inner()),
            request(&pool),
        ));
        let client = Probe::<Body, Body, Infallible>::new(|_| std::future::pending());
        hides_the_secret(&call(
            ThrottleTrackerLayer::new().layer(client),
            request(&pool),
        ));
        hides_the_secret(&call(BackendSteer::new(&pool, |_| inner()), request(&pool)));
        let replay_inner = ReplayInner::new(|_| std::future::pending());
        hides_the_secret(&call(
            RetryThrottledLayer::new().layer(replay_inner),
            request(&pool),
        ));

        let waiting = request(&pool);
        let now = Instant::now();
        pool.first(&Query::new(), now)
            .expect("none is full")
            .record(&Outcome::throttled(SECOND), now);
        let select = select.when_exhausted(WhenExhausted::Wait(2 * SECOND));
        hides_the_secret(&call(select.layer(inner()), waiting));
    }
}

#[test]
fn replay_body_hides_its_recording_in_debug_output() {
    let mut body = ReplayBody::new(Full::new(Bytes::from(SECRET)), ReplayLimits::default());
    let kept = body.clone();
    hides_the_secret(&body);
    let mut read = tokio_test::task::spawn(http_body_util::BodyExt::frame(&mut body));
    assert!(read.poll().is_ready());
    drop(read);
    hides_the_secret(&kept);
}
