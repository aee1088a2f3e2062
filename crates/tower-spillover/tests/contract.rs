//! The contract of `tower::Service`, checked on every layer and on both whole stacks, over a probe whose clones are not
//! ready. What a layer does beyond it is the matter of its own tests.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{fmt::Debug, mem, task::Poll, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit};
use tower_layer::Layer;
use tower_spillover::{
    Backend, Pool, Scope, Tried,
    retry::{ReplayBody, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::PrioritySelectLayer,
    steer::BackendSteer,
    throttle::ThrottleTrackerLayer,
};

type Body = Full<Bytes>;

/// What axum needs of a service.
trait HttpService<B>:
    Service<
        Request<B>,
        Response = Response<()>,
        Error: Into<BoxError> + Debug + Send,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S, B> HttpService<B> for S where
    S: Service<
            Request<B>,
            Response = Response<()>,
            Error: Into<BoxError> + Debug + Send,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A layer or a stack, and in what it may differ from the others.
trait Subject {
    /// The body of the requests that the inner service gets.
    type InnerBody: Send + 'static;

    /// Whether `poll_ready` is the inner service's. Otherwise the inner service is made ready inside the future.
    const PASSES_READINESS: bool = true;

    /// Whether it sends a refused request to the other backend.
    const RETRIES: bool = false;

    fn wrap(pool: Pool, inner: Inner<Self::InnerBody>) -> impl HttpService<Body>;
}

struct Retry;

impl Subject for Retry {
    type InnerBody = ReplayBody<Body>;

    fn wrap(_: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        RetryThrottledLayer::new().layer(inner)
    }
}

struct RetryTwice;

impl Subject for RetryTwice {
    type InnerBody = ReplayBody<Body>;

    const RETRIES: bool = true;

    fn wrap(_: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        RetryThrottledLayer::new().max_attempts(2).layer(inner)
    }
}

struct Select;

impl Subject for Select {
    type InnerBody = Body;

    fn wrap(pool: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        PrioritySelectLayer::new(pool).layer(inner)
    }
}

struct Rewrite;

impl Subject for Rewrite {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        RewriteRequestLayer::new().layer(inner)
    }
}

struct Throttle;

impl Subject for Throttle {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        ThrottleTrackerLayer::new().layer(inner)
    }
}

struct Steer;

impl Subject for Steer {
    type InnerBody = Body;

    const PASSES_READINESS: bool = false;

    fn wrap(pool: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        BackendSteer::new(&pool, |_| inner.clone())
    }
}

/// The whole stack over one shared client.
struct Shared;

impl Subject for Shared {
    type InnerBody = ReplayBody<Body>;

    const RETRIES: bool = true;

    fn wrap(pool: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        stack(pool, inner)
    }
}

/// The whole stack over one service per backend.
struct PerBackend;

impl Subject for PerBackend {
    type InnerBody = ReplayBody<Body>;

    const PASSES_READINESS: bool = false;

    const RETRIES: bool = true;

    fn wrap(pool: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        let per_backend = BackendSteer::new(&pool, |_| inner.clone());
        stack(pool, per_backend)
    }
}

fn stack<S: HttpService<ReplayBody<Body>>>(pool: Pool, inner: S) -> impl HttpService<Body> {
    ServiceBuilder::new()
        .layer(RetryThrottledLayer::new())
        .layer(PrioritySelectLayer::new(pool))
        .layer(RewriteRequestLayer::new())
        .layer(ThrottleTrackerLayer::new())
        .service(inner)
}

macro_rules! contract {
    ($($subject:ident => $name:ident { $($check:ident)* })*) => {$(
        mod $name {
            $(
                #[tokio::test(start_paused = true)]
                async fn $check() {
                    super::$check::<super::$subject>().await;
                }
            )*
        }
    )*};
}

macro_rules! contract_of {
    ($($name:ident: $subject:ident),* $(,)?) => {
        contract! {$(
            $subject => $name {
                only_ready_instances_are_called
                readiness_is_passed
                readiness_may_take_many_polls
                readiness_errors_are_passed
                the_ready_instance_is_called_and_its_clone_is_not_ready
                one_instance_is_made_ready_once
                responses_and_errors_are_passed
                a_dropped_future_cancels_the_call
                a_future_dropped_between_two_calls_leaves_nothing_reserved
                nothing_is_left_when_all_is_done
                a_limit_of_one_is_enough
                it_can_be_shared_between_threads
            }
        )*}
    };
}

contract_of! {
    retry: Retry,
    retry_twice: RetryTwice,
    select: Select,
    rewrite: Rewrite,
    throttle: Throttle,
    steer: Steer,
    stack_over_a_shared_client: Shared,
    stack_over_a_client_per_backend: PerBackend,
}

/// A probe, and a limit that is out of reach where it does not matter.
type Inner<B> = ConcurrencyLimit<Probe<B, (), &'static str>>;

/// The subject over a probe, and how many instances of that it holds when nothing goes on.
struct Setup<S> {
    pool: Pool,
    service: S,
    handle: ProbeHandle<&'static str>,
    instances: usize,
}

fn setup<T: Subject>(
    inner: Probe<T::InnerBody, (), &'static str>,
) -> Setup<impl HttpService<Body>> {
    let pool = Pool::new(["a", "b"].map(|label| {
        let backend = Backend::builder(label).url("http://upstream.example");
        backend.build().unwrap()
    }));
    let pool = pool.unwrap();
    let handle = inner.handle();
    let service = T::wrap(
        pool.clone(),
        ConcurrencyLimit::new(inner, Semaphore::MAX_PERMITS),
    );
    Setup {
        instances: handle.instances(),
        pool,
        service,
        handle,
    }
}

/// Answers with this status, or fails, after it has yielded once.
fn answering<T: Subject>(
    mut answer: impl FnMut() -> Result<u16, &'static str> + Send + 'static,
) -> Probe<T::InnerBody, (), &'static str> {
    Probe::new(move |_| {
        let answer = answer();
        async move {
            tokio::task::yield_now().await;
            Ok(Response::builder().status(answer?).body(()).unwrap())
        }
    })
}

/// Refuses every second request, beginning with the first.
fn refusing_every_second<T: Subject>() -> Probe<T::InnerBody, (), &'static str> {
    let mut is_refused = false;
    answering::<T>(move || {
        is_refused = !is_refused;
        Ok(if is_refused { 503 } else { 200 })
    })
}

/// A request that every subject can handle.
fn request(pool: &Pool) -> Request<Body> {
    let mut request = Request::new(Full::from("question"));
    let selected = pool
        .select(&Tried::new(), Scope::WHOLE, Instant::now(), 0)
        .expect("none is throttled");
    request.extensions_mut().insert(selected);
    request
}

fn poll_ready<S: HttpService<Body>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

async fn only_ready_instances_are_called<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        ..
    } = setup::<T>(refusing_every_second::<T>());
    handle.set_pending_polls(2);
    for _ in 0..10 {
        service
            .ready()
            .await
            .unwrap()
            .call(request(&pool))
            .await
            .unwrap();
        service.clone().oneshot(request(&pool)).await.unwrap();
    }
    assert_eq!(handle.violations(), 0);
    assert_eq!(handle.calls() > 20, T::RETRIES);
}

async fn readiness_is_passed<T: Subject>() {
    let Setup {
        mut service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Ok(200)));
    handle.set_pending();
    let mut ready = task::spawn(());
    if T::PASSES_READINESS {
        assert_pending!(ready.enter(|cx, _| service.poll_ready(cx)));
        assert!(!ready.is_woken());
        handle.set_ready();
        assert!(ready.is_woken());
        assert_ready_ok!(ready.enter(|cx, _| service.poll_ready(cx)));
        assert_eq!(handle.reserved(), 1);
    } else {
        assert_ready_ok!(ready.enter(|cx, _| service.poll_ready(cx)));
        assert_eq!((handle.polls(), handle.reserved()), (0, 0));
    }
}

async fn readiness_may_take_many_polls<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Ok(200)));
    handle.set_pending_polls(100);
    if T::PASSES_READINESS {
        (0..100).for_each(|_| assert_pending!(poll_ready(&mut service)));
    }
    assert_ready_ok!(poll_ready(&mut service));
    let mut sent = task::spawn(service.call(request(&pool)));
    if !T::PASSES_READINESS {
        (0..100).for_each(|_| assert_pending!(sent.poll()));
    }
    assert_pending!(sent.poll());
    assert_ready_ok!(sent.poll());
    assert_eq!((handle.polls(), handle.calls()), (101, 1));
}

async fn readiness_errors_are_passed<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Ok(200)));
    handle.fail_ready("shut down");
    let error: BoxError = if T::PASSES_READINESS {
        assert_ready_err!(poll_ready(&mut service)).into()
    } else {
        // The same for the other backend.
        handle.fail_ready("shut down");
        assert_ready_ok!(poll_ready(&mut service));
        service.call(request(&pool)).await.unwrap_err().into()
    };
    assert_eq!(error.to_string(), "shut down");
    assert_eq!(handle.reserved(), 0);
}

async fn the_ready_instance_is_called_and_its_clone_is_not_ready<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Ok(200)));
    assert_ready_ok!(poll_ready(&mut service));
    let clone = service.clone();
    let mut ready = mem::replace(&mut service, clone);
    if T::PASSES_READINESS {
        handle.set_pending();
        assert_pending!(poll_ready(&mut service));
    }
    ready.call(request(&pool)).await.unwrap();
    assert_eq!((handle.calls(), handle.violations()), (1, 0));
}

async fn one_instance_is_made_ready_once<T: Subject>() {
    let Setup {
        mut service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Ok(200)));
    for _ in 0..3 {
        assert_ready_ok!(poll_ready(&mut service));
        assert_eq!(handle.reserved(), usize::from(T::PASSES_READINESS));
    }
    drop(service);
    assert_eq!((handle.reserved(), handle.instances()), (0, 0));
}

async fn responses_and_errors_are_passed<T: Subject>() {
    for status in [200, 304, 404] {
        let Setup { pool, service, .. } = setup::<T>(answering::<T>(move || Ok(status)));
        let response = service.oneshot(request(&pool)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
    let Setup {
        pool,
        service,
        handle,
        ..
    } = setup::<T>(answering::<T>(|| Err("broken")));
    let error = service.oneshot(request(&pool)).await.unwrap_err();
    assert_eq!(error.into().to_string(), "broken");
    assert_eq!(handle.calls(), if T::RETRIES { 2 } else { 1 });
}

async fn a_dropped_future_cancels_the_call<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        instances,
    } = setup::<T>(Probe::new(|_| std::future::pending()));
    for polls in 0..3 {
        assert_ready_ok!(poll_ready(&mut service));
        let mut sent = task::spawn(service.call(request(&pool)));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        let is_called = T::PASSES_READINESS || polls > 0;
        assert_eq!(handle.in_flight(), usize::from(is_called));

        drop(sent);
        assert_eq!(handle.in_flight(), 0);
        assert_eq!((handle.instances(), handle.reserved()), (instances, 0));
    }
    assert_eq!(handle.cancelled(), handle.calls());
}

async fn a_future_dropped_between_two_calls_leaves_nothing_reserved<T: Subject>() {
    let Setup {
        pool,
        mut service,
        handle,
        instances,
    } = setup::<T>(refusing_every_second::<T>());
    assert_ready_ok!(poll_ready(&mut service));
    let mut sent = task::spawn(service.call(request(&pool)));
    assert_pending!(sent.poll());
    handle.set_pending();
    if T::RETRIES {
        assert_pending!(sent.poll());
        assert_eq!((handle.completed(), handle.in_flight()), (1, 0));
    } else {
        assert_ready_ok!(sent.poll());
    }
    drop(sent);
    assert_eq!((handle.instances(), handle.reserved()), (instances, 0));
}

async fn nothing_is_left_when_all_is_done<T: Subject>() {
    let Setup {
        pool,
        service,
        handle,
        instances,
    } = setup::<T>(refusing_every_second::<T>());
    let sent: Vec<_> = (0..20)
        .map(|_| tokio::spawn(service.clone().oneshot(request(&pool))))
        .collect();
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
    assert_eq!((handle.in_flight(), handle.cancelled()), (0, 0));
    assert_eq!((handle.instances(), handle.reserved()), (instances, 0));
}

async fn a_limit_of_one_is_enough<T: Subject>() {
    let inner = refusing_every_second::<T>();
    let handle = inner.handle();
    let pool = setup::<T>(answering::<T>(|| Ok(200))).pool;
    let service = T::wrap(pool.clone(), ConcurrencyLimit::new(inner, 1));

    let all = async {
        let sent: Vec<_> = (0..20)
            .map(|_| tokio::spawn(service.clone().oneshot(request(&pool))))
            .collect();
        for sent in sent {
            sent.await.unwrap().unwrap();
        }
    };
    // The clock is paused: the time is over when nothing moves any more.
    let result = timeout(Duration::from_secs(1), all).await;
    result.expect("nobody keeps the permit that another one waits for");
    assert_eq!(handle.violations(), 0);
}

async fn it_can_be_shared_between_threads<T: Subject>() {
    fn check<S: HttpService<Body>>(_: &S) {}
    check(&setup::<T>(answering::<T>(|| Ok(200))).service);
}
