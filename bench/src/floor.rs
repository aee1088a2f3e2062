//! The floor: a reverse proxy of the same libraries as the gateway, without any of its logic.

use std::{
    env, io,
    net::{self, SocketAddr},
    num::NonZero,
    thread,
};

use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header::HOST, uri};
use http_body_util::{Either, Empty};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    listen: SocketAddr,
    upstream: SocketAddr,
}

/// Proxies every request to the one upstream, on the threads that the gateway would have: one for each core, each with a
/// runtime and connections of its own.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let runtime = one_thread()?;
    let listener = runtime.block_on(TcpListener::bind(args.listen))?;
    let listener = listener.into_std()?;
    thread::scope(|threads| {
        for _ in 1..count() {
            let (runtime, listener) = (one_thread()?, listener.try_clone()?);
            threads.spawn(move || runtime.block_on(serve(listener, args.upstream)));
        }
        runtime.block_on(serve(listener, args.upstream))
    })
}

fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn count() -> usize {
    let set = env::var("TOKIO_WORKER_THREADS");
    let set = set.ok().and_then(|count| count.parse().ok());
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}

async fn serve(listener: net::TcpListener, upstream: SocketAddr) -> io::Result<()> {
    let floor = Floor::new(upstream)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let floor = floor.clone();
        let service = service_fn(move |request| floor.clone().proxy(request));
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no error of the floor.
            let _ = server
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

#[derive(Clone)]
struct Floor {
    client: Client<HttpConnector, Incoming>,
    authority: uri::Authority,
    host: HeaderValue,
}

impl Floor {
    fn new(upstream: SocketAddr) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let authority = upstream.to_string();
        Ok(Self {
            client,
            host: HeaderValue::from_str(&authority).map_err(io::Error::other)?,
            authority: authority.parse().map_err(io::Error::other)?,
        })
    }

    async fn proxy(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Either<Incoming, Empty<Bytes>>>, http::Error> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = Some(self.authority);
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.host);

        match self.client.request(request).await {
            Ok(response) => Ok(response.map(Either::Left)),
            Err(_) => Response::builder()
                .status(StatusCode::BAD_GATEWAY)
                .body(Either::Right(Empty::new())),
        }
    }
}
