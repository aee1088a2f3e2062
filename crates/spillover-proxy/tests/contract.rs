//! The contract of `tower::Service`, checked on every layer over a probe whose clones are not ready.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{convert::Infallible, mem, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use sha2::{Digest, Sha256};
use spillover_core::{Backend, Pool, Query};
use spillover_proxy::{
    access_log::AccessLogLayer,
    catch_panic::CatchPanicLayer,
    client_keys::{ClientKey, ClientKeysLayer, KeyRing},
    cors::{AllowedOrigins, CorsLayer},
    final_response::FinalResponseLayer,
    hop_by_hop::HopByHopLayer,
    idle_timeout::IdleTimeoutLayer,
    limits::{LimitedBody, RequestLimitsLayer},
    request_rules::{RequestRules, RequestRulesLayer},
    response_urls::ResponseUrlsLayer,
    upgrade::UpgradeLayer,
};
use spillover_testing::{Probe, probe::ProbeHandle};
use tokio::time::{Instant, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit};
use tower_spillover::model::SplicedBody;

type Body = Full<Bytes>;

/// A probe behind a limit of simultaneous calls.
type Inner<B> = ConcurrencyLimit<Probe<B, Body, Infallible>>;

/// A service as servers need it.
trait HttpService:
    Service<
        Request<Body>,
        Response = Response<UnsyncBoxBody<Bytes, BoxError>>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<
            Request<Body>,
            Response = Response<UnsyncBoxBody<Bytes, BoxError>>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A layer of the crate.
trait Subject {
    /// The body of the requests that the inner service gets.
    type InnerBody: Send + 'static;

    fn wrap(inner: Inner<Self::InnerBody>) -> impl HttpService;

    fn debug() -> String;
}

macro_rules! subjects {
    ($($name:ident: $subject:ident, $body:ty => $layer:expr;)*) => {$(
        struct $subject;

        impl Subject for $subject {
            type InnerBody = $body;

            fn wrap(inner: Inner<$body>) -> impl HttpService {
                ServiceBuilder::new()
                    .map_response(|response: Response<_>| {
                        response.map(|body| UnsyncBoxBody::new(BodyExt::map_err(body, Into::into)))
                    })
                    .layer($layer)
                    .service(inner)
            }

            fn debug() -> String {
                format!("{:?}", $layer)
            }
        }

        mod $name {
            subjects!(@checks $subject:
                only_ready_instances_are_called
                readiness_is_that_of_the_inner_service
                ready_instance_is_called_and_its_clone_is_not_ready
                instance_is_made_ready_once
                response_passes_with_its_body
                body_that_has_ended_says_so
                dropped_future_cancels_the_call
                nothing_is_left_when_all_requests_are_done
                limit_of_one_call_is_enough
                debug_output_holds_no_secret
            );
        }
    )*};
    (@checks $subject:ident: $($check:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $check() {
            super::$check::<super::$subject>().await;
        }
    )*};
}

subjects! {
    access_log: AccessLog, Body => AccessLogLayer::new();
    catch_panic: CatchPanic, Body => CatchPanicLayer;
    client_keys: ClientKeys, Body => ClientKeysLayer::new(key_ring());
    cors: Cors, Body => CorsLayer::new(Some(&AllowedOrigins::Any));
    final_response: FinalResponse, Body => FinalResponseLayer::new([]);
    hop_by_hop: HopByHop, Body => HopByHopLayer;
    idle_timeout: IdleTimeout, Body => IdleTimeoutLayer::new(Some(SECOND));
    limits: RequestLimits, LimitedBody<Body> => RequestLimitsLayer::new(Some(100), Some(SECOND));
    request_rules: ApplyRequestRules, SplicedBody<Body> => request_rules_layer();
    response_urls: ResponseUrls, Body => ResponseUrlsLayer::new();
    upgrade: Upgrade, Body => UpgradeLayer;
}

/// Key of the client, in every request.
const KEY: &str = "secret-of-the-client";

const SECOND: Duration = Duration::from_secs(1);

fn key_ring() -> Arc<KeyRing> {
    KeyRing::new(&[ClientKey {
        name: "team".into(),
        sha256: Sha256::digest(KEY).into(),
        pools: Vec::new(),
        requests_per_minute: None,
    }])
}

fn backend() -> Backend {
    let backend = Backend::builder("a").url("http://upstream.example");
    backend.build().unwrap()
}

fn request_rules_layer() -> RequestRulesLayer {
    let rules = RequestRules::new(&backend());
    RequestRulesLayer::new([rules.bearer(|| Ok("secret-of-the-backend".parse()?))])
}

/// Returns a request that every layer passes on.
fn request() -> Request<Body> {
    let pool = Pool::new([backend()]).unwrap();
    let selected = pool.select(&Query::new(), Instant::now(), 0).unwrap();
    let request = Request::post("/v1/chat/completions").header("api-key", KEY);
    let request = request.extension(selected).body(Full::from("question"));
    request.unwrap()
}

/// A subject over a probe, and the number of probe instances that it holds while it is idle.
struct Setup<S> {
    service: S,
    handle: ProbeHandle<Infallible>,
    instances: usize,
}

fn setup<T: Subject>(limit: usize) -> Setup<impl HttpService> {
    let inner = Probe::new(|_| async {
        tokio::task::yield_now().await;
        Ok(Response::new(Full::from("answer")))
    });
    setup_over::<T>(inner, limit)
}

fn setup_over<T: Subject>(
    inner: Probe<T::InnerBody, Body, Infallible>,
    limit: usize,
) -> Setup<impl HttpService> {
    let handle = inner.handle();
    let service = T::wrap(ConcurrencyLimit::new(inner, limit));
    Setup {
        instances: handle.instances(),
        service,
        handle,
    }
}

fn poll_ready<S: HttpService>(service: &mut S) -> Poll<Result<(), Infallible>> {
    task::spawn(()).enter(|cx, _| service.poll_ready(cx))
}

/// Sends requests at once, each through a clone of the service, and reads the responses.
async fn send_at_once<S: HttpService>(service: &S, requests: usize) {
    let send = |_| {
        let sent = service.clone().oneshot(request());
        tokio::spawn(async {
            let Ok(response) = sent.await;
            response.into_body().collect().await.unwrap().to_bytes()
        })
    };
    let sent: Vec<_> = (0..requests).map(send).collect();
    for sent in sent {
        assert_eq!(sent.await.unwrap(), "answer");
    }
}

async fn only_ready_instances_are_called<T: Subject>() {
    let mut it = setup::<T>(100);
    it.handle.set_pending_polls(2);
    for _ in 0..10 {
        let Ok(service) = it.service.ready().await;
        let Ok(_) = service.call(request()).await;
        let Ok(_) = it.service.clone().oneshot(request()).await;
    }
    assert_eq!((it.handle.calls(), it.handle.violations()), (20, 0));
}

async fn readiness_is_that_of_the_inner_service<T: Subject>() {
    let mut it = setup::<T>(100);
    it.handle.set_pending();
    let mut ready = task::spawn(());
    assert_pending!(ready.enter(|cx, _| it.service.poll_ready(cx)));
    assert!(!ready.is_woken());
    it.handle.set_ready();
    assert!(ready.is_woken());
    assert_ready_ok!(ready.enter(|cx, _| it.service.poll_ready(cx)));
    assert_eq!(it.handle.reserved(), 1);
}

async fn ready_instance_is_called_and_its_clone_is_not_ready<T: Subject>() {
    let mut it = setup::<T>(100);
    assert_ready_ok!(poll_ready(&mut it.service));
    let clone = it.service.clone();
    let mut ready = mem::replace(&mut it.service, clone);
    it.handle.set_pending();
    assert_pending!(poll_ready(&mut it.service));
    let Ok(_) = ready.call(request()).await;
    assert_eq!((it.handle.calls(), it.handle.violations()), (1, 0));
}

async fn instance_is_made_ready_once<T: Subject>() {
    let mut it = setup::<T>(100);
    for _ in 0..3 {
        assert_ready_ok!(poll_ready(&mut it.service));
        assert_eq!(it.handle.reserved(), 1);
    }
    drop(it.service);
    assert_eq!((it.handle.reserved(), it.handle.instances()), (0, 0));
}

async fn response_passes_with_its_body<T: Subject>() {
    for status in [200, 304, 404] {
        let inner = Probe::new(move |_| async move {
            let response = Response::builder().status(status);
            let response = response.header("x-field", "value");
            Ok(response.body(Full::from("answer")).unwrap())
        });
        let it = setup_over::<T>(inner, 100);
        let Ok(response) = it.service.oneshot(request()).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-field"], "value");
        let body = response.into_body();
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "answer");
    }
}

async fn body_that_has_ended_says_so<T: Subject>() {
    let inner = Probe::new(|_| async { Ok(Response::new(Full::default())) });
    let it = setup_over::<T>(inner, 100);
    let Ok(response) = it.service.oneshot(request()).await;
    assert!(response.body().is_end_stream());
}

async fn dropped_future_cancels_the_call<T: Subject>() {
    let mut it = setup_over::<T>(Probe::new(|_| std::future::pending()), 100);
    for polls in 0..3 {
        assert_ready_ok!(poll_ready(&mut it.service));
        let mut sent = task::spawn(it.service.call(request()));
        (0..polls).for_each(|_| assert_pending!(sent.poll()));
        assert_eq!(it.handle.in_flight(), 1);

        drop(sent);
        assert_eq!(it.handle.in_flight(), 0);
        assert_eq!(
            (it.handle.instances(), it.handle.reserved()),
            (it.instances, 0)
        );
    }
    assert_eq!(it.handle.cancelled(), it.handle.calls());
}

async fn nothing_is_left_when_all_requests_are_done<T: Subject>() {
    let it = setup::<T>(100);
    send_at_once(&it.service, 20).await;
    assert_eq!((it.handle.in_flight(), it.handle.cancelled()), (0, 0));
    assert_eq!(
        (it.handle.instances(), it.handle.reserved()),
        (it.instances, 0)
    );
}

async fn limit_of_one_call_is_enough<T: Subject>() {
    let it = setup::<T>(1);
    // The clock is paused: it reaches the timeout when no request can proceed.
    let result = timeout(SECOND / 2, send_at_once(&it.service, 20)).await;
    result.expect("a request holds the permit that another one waits for");
    assert_eq!(it.handle.violations(), 0);
}

async fn debug_output_holds_no_secret<T: Subject>() {
    let text = T::debug();
    assert!(!text.contains("secret"), "{text}");
}
