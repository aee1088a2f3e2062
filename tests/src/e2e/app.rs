use std::{convert::Infallible, net::SocketAddr, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::connect::HttpConnector,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use spillover_gateway::{App, Settings};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_spillover::{Pool, select::WhenExhausted};

/// Serves the gateway in this process, for what no setting of the program can say, and returns where it listens.
pub async fn serve_app(pool: Pool, set: impl FnOnce(App) -> App) -> SocketAddr {
    let app = App::new(Settings {
        pool,
        http_timeout: Duration::from_secs(10),
        when_exhausted: WhenExhausted::default(),
        expose_backend_url: false,
    });
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let service = set(app).over::<_, Incoming>(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = service.clone().oneshot(request);
                    async { Ok::<_, Infallible>(answer.await.expect("it never fails")) }
                });
                let server = auto::Builder::new(TokioExecutor::new());
                let io = TokioIo::new(stream);
                // How the connection ends is the client's to see.
                let _ = server.serve_connection_with_upgrades(io, service).await;
            });
        }
    });
    address
}
