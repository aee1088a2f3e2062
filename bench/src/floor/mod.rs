//! The floor: a reverse proxy of the same libraries as the gateway, without any of its logic.

mod proxy;

use std::{
    env, io,
    net::{self, SocketAddr},
    num::NonZero,
    path::PathBuf,
    thread,
};

use http::uri::Scheme;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::connect::{Connect, HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tokio_rustls::TlsAcceptor;

use self::proxy::Proxy;
use crate::tls;

#[derive(clap::Args)]
pub(crate) struct Args {
    listen: SocketAddr,
    upstream: SocketAddr,
    /// Use TLS with clients; directory of the certificate
    #[arg(long, value_name = "DIRECTORY")]
    tls_in: Option<PathBuf>,
    /// Use TLS with the upstream; directory of its certificate
    #[arg(long, value_name = "DIRECTORY")]
    tls_out: Option<PathBuf>,
}

/// Proxies every request to the one upstream, on the same threads as the gateway: one per core, each with its own
/// runtime and connections.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let tls = match &args.tls_in {
        Some(directory) => Some(tls::Files::in_directory(directory).acceptor(&["h2", "http/1.1"])?),
        None => None,
    };
    let tls = tls.as_ref();
    let runtime = one_thread()?;
    let listener = runtime.block_on(TcpListener::bind(args.listen))?;
    let listener = listener.into_std()?;
    thread::scope(|threads| {
        for _ in 1..count() {
            let (runtime, listener) = (one_thread()?, listener.try_clone()?);
            threads.spawn(move || runtime.block_on(serve(listener, tls, args)));
        }
        runtime.block_on(serve(listener, tls, args))
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

async fn serve(
    listener: net::TcpListener,
    tls: Option<&TlsAcceptor>,
    args: &Args,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let Some(directory) = &args.tls_out else {
        let proxy = Proxy::new(connector, Scheme::HTTP, args.upstream)?;
        return accept(&listener, tls, proxy).await;
    };
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls::Files::in_directory(directory).client()?)
        .https_only()
        .enable_all_versions()
        .wrap_connector(connector);
    let proxy = Proxy::new(connector, Scheme::HTTPS, args.upstream)?;
    accept(&listener, tls, proxy).await
}

async fn accept<C>(
    listener: &TcpListener,
    tls: Option<&TlsAcceptor>,
    proxy: Proxy<C>,
) -> io::Result<()>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let proxy = proxy.clone();
        let Some(tls) = tls else {
            tokio::spawn(converse(connection, proxy));
            continue;
        };
        let handshake = tls.accept(connection);
        tokio::spawn(async move {
            // A connection that the client closes is not an error of the floor.
            if let Ok(connection) = handshake.await {
                converse(connection, proxy).await;
            }
        });
    }
}

async fn converse<C>(
    connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    proxy: Proxy<C>,
) where
    C: Connect + Clone + Send + Sync + 'static,
{
    let service = service_fn(move |request| proxy.clone().pass_on(request));
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server
        .serve_connection(TokioIo::new(connection), service)
        .await;
}
