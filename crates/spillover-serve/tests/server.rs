//! Tests of the server over loopback connections.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use spillover_serve::{Connections, HttpService, Listener, RequestBody, Server, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};
use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer, service_fn};

/// A running server.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start<S: HttpService<RequestBody>>(service: S) -> Self {
        let listener = Listener {
            address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
            tls: None,
        };
        let connections = Connections::default();
        let server = Server::bind(&[listener], connections, Shutdown::default()).await;
        let server = server.unwrap();
        let address = server.addresses().unwrap()[0];
        let (stop, stopped) = oneshot::channel();
        let mut stopped = Some(stopped);
        let run = server.run(
            move || service.clone(),
            async move || match stopped.take() {
                Some(stopped) => stopped.await.unwrap(),
                None => std::future::pending().await,
            },
        );
        Self {
            address,
            stop,
            server: tokio::spawn(run),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
    }
}

/// Sends a request, and reads its response with the body `hello`.
async fn hello(stream: &mut TcpStream) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_hello(stream).await;
}

async fn read_hello(stream: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"hello") {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{read:?}");
    }
    assert!(read.starts_with(b"HTTP/1.1 200 OK\r\n"), "{read:?}");
}

async fn answer(_: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}

#[tokio::test]
async fn connection_serves_requests_after_it_was_idle() {
    let running = Running::start(service_fn(answer)).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        hello(&mut stream).await;
        // Longer than the first step of the timer, after which the connection leaves hyper.
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
    }
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn request_waits_for_a_service_that_is_not_ready() {
    let open = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&open);
    let service = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(move |request| {
            let waiting = Arc::clone(&waiting);
            async move {
                waiting.acquire().await.unwrap().forget();
                answer(request).await
            }
        }));
    let running = Running::start(service).await;
    let mut streams = [running.connect().await, running.connect().await];
    for stream in &mut streams {
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
    }
    open.add_permits(2);
    for stream in &mut streams {
        read_hello(stream).await;
    }
    drop(streams);
    running.stop().await;
}

#[tokio::test]
async fn shutdown_finishes_the_request_in_flight() {
    let (open, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (waiting, begin) = (Arc::clone(&open), Arc::clone(&begun));
    let service = service_fn(move |request| {
        let (waiting, begin) = (Arc::clone(&waiting), Arc::clone(&begin));
        async move {
            begin.add_permits(1);
            waiting.acquire().await.unwrap().forget();
            answer(request).await
        }
    });
    let running = Running::start(service).await;
    let mut stream = running.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    begun.acquire().await.unwrap().forget();
    let address = running.address;
    let stopping = tokio::spawn(running.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.add_permits(1);
    read_hello(&mut stream).await;
    stopping.await.unwrap();
}
