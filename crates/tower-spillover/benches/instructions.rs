//! The instructions of the whole stack for a request and for the chunks of a stream. The numbers do not depend on other load of
//! the machine.

#![expect(
    missing_docs,
    clippy::exit,
    reason = "what the macros make has none, and their main function exits"
)]

mod setup;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{Request, Response};
use http_body::Frame;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};
use tower_spillover::stack::{ResponseBody, SpilloverLayer};

use self::setup::{Body, Client, pool, request, send};

library_benchmark_group!(name = stack, benchmarks = [one_request, hundred_chunks]);

main!(library_benchmark_groups = stack);

// Returns the service, so that its drop is not counted.
#[library_benchmark]
#[bench::client_alone(client_alone())]
#[bench::not_retried(behind_the_stack(Client::new()))]
#[bench::failover(behind_the_stack(Client::refusing("0.example")))]
fn one_request((send, request): (Send, Request<Body>)) -> Send {
    send(request);
    send
}

// Reads a stream to its end.
#[library_benchmark]
#[bench::client_alone(Chunks(100))]
#[bench::behind_the_stack(stream_behind_the_stack())]
fn hundred_chunks<B: http_body::Body<Data = Bytes> + Unpin>(mut body: B) -> B {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(&mut cx) {}
    body
}

/// The runtime of the timer that limits reading the body of a refusal.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("the runtime can be built")
});

type Send = Box<dyn Fn(Request<Body>)>;

fn client_alone() -> (Send, Request<Body>) {
    boxed(Client::new())
}

/// Creates a stack that has served a request, in a process that has seen a refusal. First requests initialize more.
fn behind_the_stack(client: Client) -> (Send, Request<Body>) {
    let _entered = RUNTIME.enter();
    let refused = SpilloverLayer::new(pool(2)).layer(client.clone());
    send(&refused, request());
    let layer = SpilloverLayer::new(pool(2));
    send(&layer.layer(Client::new()), request());
    boxed(layer.layer(client))
}

fn stream_behind_the_stack() -> ResponseBody<Chunks> {
    let _entered = RUNTIME.enter();
    let client = tower::service_fn(|_| async {
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(Chunks(100)).expect("a valid head"))
    });
    let mut stack = SpilloverLayer::new(pool(2)).layer(client);
    let response = RUNTIME.block_on(stack.call(request()));
    response.expect("the client serves").into_body()
}

/// A stream with this number of chunks left. Each chunk is one event.
struct Chunks(u32);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(EVENT)))))
    }
}

const EVENT: &[u8] = br#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"hello there"}}]}

"#;

fn boxed<S, ResBody>(service: S) -> (Send, Request<Body>)
where
    S: Service<Request<Body>, Response = Response<ResBody>, Error = Infallible> + Clone + 'static,
{
    LazyLock::force(&RUNTIME);
    let send = move |request| {
        let _entered = RUNTIME.enter();
        send(&service, request);
    };
    (Box::new(send), request())
}
