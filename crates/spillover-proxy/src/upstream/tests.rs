//! Tests of the service over sockets of this machine, and on paused time where it waits.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use spillover_testing::{CapturedLog, MockUpstream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tower::{Service, ServiceExt};
use tower_spillover::connection::Unprocessed;
use tracing::Level;

use super::*;
use crate::error::ErrorFormat;

type Subject = Upstream<Connector, Full<Bytes>>;

fn upstream(timeout: Duration) -> Subject {
    let settings = [ConnectSettings::new(false)];
    let dialer = Dialer::new(&settings[0]).unwrap();
    let clients = Clients::default().select(&settings, |settings| dialer.connector(settings));
    Upstream::new(clients.of_backends(&settings), timeout)
}

async fn send(upstream: &mut Subject, url: &str) -> Response<UpstreamBody> {
    let request = Request::get(url).body(Full::default()).unwrap();
    let Ok(response) = upstream.ready().await.unwrap().call(request).await;
    response
}

/// Returns the error response that a client of OpenAI gets.
async fn rendered(response: Response<UpstreamBody>) -> (u16, String) {
    let response = ErrorFormat::OpenAi.render(response);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Starts a server that plays `script` on each connection. Returns its URL.
async fn serve<F>(script: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    format!("http://{address}/v1/models")
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(())
}

#[tokio::test]
async fn refused_connection_is_a_502_that_names_no_host() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (log, _guard) = CapturedLog::start(Level::WARN);
    let url = format!("http://{address}/v1/models?key=s3cret");
    let response = send(&mut upstream(Duration::from_secs(5)), &url).await;
    assert!(response.extensions().get::<Unprocessed>().is_none());
    let (status, body) = rendered(response).await;
    assert_eq!(status, 502);
    assert!(!body.contains("127.0.0.1"), "{body}");
    assert_eq!(
        log.count(&["attempt failed", "refused"]),
        1,
        "{}",
        log.text()
    );
    assert!(!log.text().contains("s3cret"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn silent_backend_is_a_504_after_the_timeout() {
    let url = serve(async |mut stream: TcpStream| {
        read_head(&mut stream).await?;
        std::future::pending().await
    });
    let url = url.await;
    let begun = Instant::now();
    let response = send(&mut upstream(Duration::from_secs(3)), &url).await;
    assert_eq!(response.status(), 504);
    assert_eq!((Instant::now() - begun).as_secs(), 3);
}

#[tokio::test]
async fn connection_that_breaks_is_a_502() {
    let url = serve(async |mut stream: TcpStream| {
        read_head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 2").await
    });
    let url = url.await;
    let response = send(&mut upstream(Duration::from_secs(5)), &url).await;
    assert!(response.extensions().get::<Unprocessed>().is_none());
    assert_eq!(rendered(response).await.0, 502);
}

#[tokio::test]
async fn end_of_a_keep_alive_connection_is_unprocessed() {
    let url = serve(async |mut stream: TcpStream| {
        read_head(&mut stream).await?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await?;
        read_head(&mut stream).await
    });
    let (url, mut upstream) = (url.await, upstream(Duration::from_secs(5)));
    let first = send(&mut upstream, &url).await;
    assert_eq!(first.status(), 200);
    first.into_body().collect().await.unwrap();
    let second = send(&mut upstream, &url).await;
    assert!(second.extensions().get::<Unprocessed>().is_some());
    assert_eq!(rendered(second).await.0, 502);
}

#[tokio::test]
async fn switch_of_protocols_without_a_request_for_it_is_a_502() {
    let url = serve(async |mut stream: TcpStream| {
        read_head(&mut stream).await?;
        let switch =
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        stream.write_all(switch).await?;
        std::future::pending().await
    });
    let url = url.await;
    let response = send(&mut upstream(Duration::from_secs(5)), &url).await;
    assert_eq!(rendered(response).await.0, 502);
}

#[tokio::test]
async fn connection_is_kept_for_the_next_request() {
    let mock = MockUpstream::builder().start().await.unwrap();
    let mut upstream = upstream(Duration::from_secs(5));
    for _ in 0..3 {
        let response = send(&mut upstream, &format!("{}/v1/models", mock.url())).await;
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(mock.handle().stats().connections, 1);
}

#[test]
fn clients_are_shared_by_equal_settings_and_kept_over_a_reload() {
    let tls = ConnectSettings::new(false);
    let mut slow = tls.clone();
    slow.timeout = Duration::from_secs(60);
    let clients: Clients<Connector, Full<Bytes>> = Clients::default();
    let dialer = Dialer::new(&tls).unwrap();
    let select = |settings: &[ConnectSettings]| {
        let set = clients.select(settings, |settings| dialer.connector(settings));
        set.of_backends(settings)
    };
    let before = select(&[tls.clone(), tls.clone(), slow.clone()]);
    assert!(Arc::ptr_eq(&before[0].kept, &before[1].kept));
    assert!(!Arc::ptr_eq(&before[0].kept, &before[2].kept));
    let after = select(std::slice::from_ref(&tls));
    assert!(Arc::ptr_eq(&before[0].kept, &after[0].kept));
    let again = select(&[tls, slow]);
    assert!(!Arc::ptr_eq(&before[2].kept, &again[1].kept));
}

#[test]
fn scheme_of_a_uri_is_replaced() {
    let uri = Uri::from_static("wss://upstream.example:444/v1/realtime?model=m");
    let https = connector::with_scheme(http::uri::Scheme::HTTPS, &uri);
    assert_eq!(https, "https://upstream.example:444/v1/realtime?model=m");
}
