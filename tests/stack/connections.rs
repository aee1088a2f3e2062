//! The layers over hyper's client and over reqwest, in front of servers that end connections.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use spillover_tests::e2e::{Arrived, EndingUpstream, Reaction, soon};
use tokio::time::Instant;
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, timeout::TimeoutLayer, util::BoxCloneSyncService,
};
use tower_spillover::{
    Backend, Condition, Counts, Pool, Scope, Selected, ServiceBuilderExt, retry::ReplayBody,
};

type Body = Full<Bytes>;
type Stack = BoxCloneSyncService<Request<Body>, Answer, BoxError>;

/// The status, and the backend that sent it.
type Answer = (u16, String);

/// Returns a pool of the upstream and an unreachable backend in the next tier.
fn pool(upstream: &EndingUpstream) -> Pool {
    let backend = |label, url: String, priority| {
        let backend = Backend::builder(label).url(url).priority(priority);
        backend.build().expect("it is valid")
    };
    Pool::new([
        backend("first", upstream.url(), 1),
        backend("gone", "http://127.0.0.1:9".into(), 2),
    ])
    .expect("it is valid")
}

fn counts(pool: &Pool) -> (Condition, Counts) {
    let snapshot = pool.snapshot(Scope::BACKEND, Instant::now()).swap_remove(0);
    (snapshot.condition(), snapshot.counts())
}

fn answer<B>(response: Response<B>) -> Answer {
    let selected = response.extensions().get::<Selected>();
    let label = selected.map(|selected| selected.backend().label().to_owned());
    (response.status().as_u16(), label.unwrap_or_default())
}

fn boxed<S, B: 'static>(stack: S) -> Stack
where
    S: Service<Request<Body>, Response = Response<B>, Future: Send> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(stack.map_response(answer).map_err(Into::into))
}

fn client(is_http2: bool) -> Client<HttpConnector, ReplayBody<Body>> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(is_http2).build_http()
}

/// Builds the stack over hyper's client alone.
fn over_hyper(pool: Pool, is_http2: bool) -> Stack {
    let stack = ServiceBuilder::new().spillover(pool);
    boxed(stack.service(client(is_http2)))
}

/// Builds the stack over hyper's client with a timeout, whose error is a box.
fn over_hyper_with_timeout(pool: Pool, is_http2: bool) -> Stack {
    let stack = ServiceBuilder::new().spillover(pool);
    let stack = stack.layer(TimeoutLayer::new(Duration::from_secs(10)));
    boxed(stack.service(client(is_http2)))
}

fn over_reqwest(pool: Pool, is_http2: bool) -> Stack {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = if is_http2 {
        builder.http2_prior_knowledge()
    } else {
        builder.http1_only()
    };
    // Without reqwest's own retries, so that only the layers retry.
    let client = builder.retry(reqwest::retry::never()).build();
    let stack = ServiceBuilder::new()
        .spillover(pool)
        .map_err(BoxError::from)
        .map_request(|request: Request<ReplayBody<Body>>| {
            let request = request.map(reqwest::Body::wrap);
            reqwest::Request::try_from(request).expect("it is valid")
        })
        .map_response(Response::<reqwest::Body>::from);
    boxed(stack.service(client.expect("it can be built")))
}

/// Builds the stack over a client that speaks HTTP/2 or HTTP/1.1.
type Over = fn(Pool, bool) -> Stack;

const STACKS: [(&str, Over); 3] = [
    ("hyper", over_hyper),
    ("hyper with a timeout", over_hyper_with_timeout),
    ("reqwest", over_reqwest),
];

async fn send(stack: &Stack) -> Result<Answer, BoxError> {
    let request = Request::post("/v1/x").body(Full::from("{}"));
    soon(stack.clone().oneshot(request.expect("it is valid"))).await
}

#[tokio::test]
async fn unprocessed_request_goes_to_the_same_backend() {
    for (name, over) in STACKS {
        for (is_http2, end) in [
            (false, Reaction::Close),
            (false, Reaction::Reset),
            (true, Reaction::GoAway),
            (true, Reaction::Refuse),
            (true, Reaction::Reset),
        ] {
            let script = move |arrived: Arrived| match arrived.request {
                1 => Reaction::Answer,
                _ if end == Reaction::Refuse && arrived.request % 2 == 1 => Reaction::Answer,
                _ => end,
            };
            let upstream = if is_http2 {
                EndingUpstream::http2(script).await
            } else {
                EndingUpstream::http1(script).await
            };
            let pool = pool(&upstream);
            let stack = over(pool.clone(), is_http2);
            for _ in 0..6 {
                let answer = send(&stack).await.expect("an answer");
                assert_eq!(answer, (200, "first".into()), "{name} {end:?}");
            }
            let (condition, counts) = counts(&pool);
            assert_eq!(condition, Condition::Open, "{name} {end:?}");
            assert_eq!((counts.answered, counts.failed), (6, 0));
            assert_eq!(counts.unprocessed, counts.resent);
            assert!(counts.unprocessed > 0, "{name} {end:?}");
        }
    }
}

#[tokio::test]
async fn server_that_never_answers_is_called_twice_and_closed() {
    for (name, over) in STACKS {
        for (is_http2, end) in [
            (false, Reaction::Close),
            (true, Reaction::GoAway),
            (true, Reaction::Refuse),
        ] {
            let upstream = if is_http2 {
                EndingUpstream::http2(move |_| end).await
            } else {
                EndingUpstream::http1(move |_| end).await
            };
            let pool = pool(&upstream);
            let stack = over(pool.clone(), is_http2);
            send(&stack).await.expect_err("none answers");
            assert_eq!(upstream.requests(), 2, "{name} {end:?}");
            let (condition, counts) = counts(&pool);
            assert!(matches!(condition, Condition::Failing(_)), "{name}");
            assert_eq!((counts.unprocessed, counts.failed), (1, 1));
        }
    }
}
