//! The mock upstream: each of its ports has one behavior.

mod control;
mod ports;
mod state;
mod stream;

use std::{convert::Infallible, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    time::{Duration, Instant},
};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::{
    control::{refusals, reopened_after, throttle},
    ports::{
        BRIEFLY_THROTTLED, FINE, STREAM, THROTTLED, TLS, TLS_HTTP2, TOO_LARGE, Transport,
        UNAVAILABLE, address,
    },
    stream::{CHUNK, CHUNKS},
};
use self::{ports::Mode, state::State, stream::Stream};
use crate::tls;

type Body = Either<Full<Bytes>, Stream>;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Directory of the certificate
    directory: PathBuf,
}

/// Runs all backends.
pub(crate) async fn run(args: &Args) -> io::Result<()> {
    let files = tls::Files::in_directory(&args.directory);
    for (port, mode) in ports::all() {
        let tls = match Transport::of_port(port) {
            Transport::Clear => None,
            Transport::Tls => Some(files.acceptor(&["http/1.1"])?),
            Transport::TlsHttp2 => Some(files.acceptor(&["h2", "http/1.1"])?),
        };
        let listener = TcpListener::bind(address(port)).await?;
        tokio::spawn(serve(listener, tls, mode));
    }
    std::future::pending().await
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, mode: Mode) {
    let state = Arc::new(State::default());
    while let Ok((connection, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), state.clone());
        let service = service_fn(move |request| answer(mode, state.clone(), request));
        tokio::spawn(async move {
            let _ = connection.set_nodelay(true);
            let Some(tls) = tls else {
                let connection = TokioIo::new(connection);
                // A connection that the proxy closes is not an error of the backend.
                let _ = http1::Builder::new()
                    .serve_connection(connection, service)
                    .await;
                return;
            };
            let Ok(connection) = tls.accept(connection).await else {
                return;
            };
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn answer(
    mode: Mode,
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if let Some(answer) = control::answer(&state, request.uri().path()) {
        return Ok(full(answer));
    }
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}

    let now = Instant::now();
    let throttled_for = match mode {
        Mode::Throttled => Some(Duration::from_secs(60)),
        _ => state.throttled_for(now),
    };
    let response = match (mode, throttled_for) {
        (_, Some(wait)) => refuse(throttled(wait), &state),
        (Mode::TooLarge, None) => refuse(status(StatusCode::PAYLOAD_TOO_LARGE), &state),
        (Mode::Unavailable, None) => refuse(status(StatusCode::SERVICE_UNAVAILABLE), &state),
        (Mode::Stream, None) => stream(),
        (Mode::Fine | Mode::Throttled, None) => full(Bytes::from_static(&COMPLETION)),
    };
    Ok(response)
}

fn refuse(response: Response<Body>, state: &State) -> Response<Body> {
    state.count_refusal();
    response
}

fn throttled(wait: Duration) -> Response<Body> {
    let mut response = status(StatusCode::TOO_MANY_REQUESTS);
    let headers = response.headers_mut();
    headers.insert("retry-after", (wait.as_secs_f64().ceil() as u64).into());
    headers.insert("retry-after-ms", (wait.as_millis() as u64).into());
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let body = Bytes::from_static(br#"{"error":{"code":"refused","message":"Refused."}}"#);
    let mut response = full(body);
    *response.status_mut() = status;
    response
}

fn full(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

fn stream() -> Response<Body> {
    let mut response = Response::new(Either::Right(Stream::new()));
    let headers = response.headers_mut();
    let kind = http::HeaderValue::from_static("text/event-stream");
    headers.insert("content-type", kind);
    // By default nginx buffers the chunks of a stream.
    let unbuffered = http::HeaderValue::from_static("no");
    headers.insert("x-accel-buffering", unbuffered);
    response
}

/// A chat completion of 1 KiB.
const COMPLETION: [u8; 1024] = padded(
    br#"{"object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":""#,
    br#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":200}}"#,
);

/// Returns `before` and `after` with padding in between.
const fn padded<const LENGTH: usize>(before: &[u8], after: &[u8]) -> [u8; LENGTH] {
    let mut padded = [b'x'; LENGTH];
    let (head, _) = padded.split_at_mut(before.len());
    head.copy_from_slice(before);
    let (_, tail) = padded.split_at_mut(LENGTH - after.len());
    tail.copy_from_slice(after);
    padded
}
