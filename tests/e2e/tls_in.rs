//! Clients over TLS: protocols, client certificates, and certificates that change.

use std::{env, fs, io, net::SocketAddr, path::PathBuf, process, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use spillover_serve::{
    ClientCertificate, ClientFingerprint, Connections, Listener, RequestBody, Server, Shutdown,
    StartError, Tls,
};
use spillover_testing::upstream::MockUpstream;
use spillover_tests::{
    e2e::{Authority, Client, Files, Gateway, Identity, Serving, Wire, healthy, soon},
    gateway,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind, ProtocolVersion, client::WebPkiServerVerifier, crypto::ring,
        version::TLS12,
    },
};

/// A temporary directory for certificates.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("spillover-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Answers with the client's identity by its certificate.
async fn answer(request: Request<RequestBody>) -> Response<Body> {
    let who = request.extensions().get::<ClientFingerprint>();
    let who = who.map_or("nobody".to_owned(), |who| who.digits().to_string());
    Response::new(Body::from(who))
}

async fn serving(tls: Tls) -> Serving {
    let (connections, shutdown) = (Connections::default(), Shutdown::default());
    Serving::start_with(&[Some(tls)], connections, shutdown, answer).await
}

async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let host = "localhost".try_into().unwrap();
    soon(TlsConnector::from(Arc::clone(config)).connect(host, stream)).await
}

/// Sends a request over its own connection, by the negotiated protocol.
async fn ask(address: SocketAddr, config: ClientConfig) -> io::Result<String> {
    let stream = connect(address, &Arc::new(config)).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = Request::get("https://localhost/v1/models")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = if is_http2 {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut client, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(connection);
        soon(client.send_request(request)).await
    } else {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut client, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(connection);
        soon(client.send_request(request)).await
    };
    let response = response.map_err(io::Error::other)?;
    let version = response.version();
    let body = soon(response.into_body().collect())
        .await
        .map_err(io::Error::other)?;
    let body = String::from_utf8(body.to_bytes().into()).unwrap();
    Ok(format!("{version:?} {body}"))
}

#[tokio::test]
async fn clients_choose_the_protocol() {
    let (authority, directory) = (Authority::new(), Directory::new("alpn"));
    let serving = serving(authority.issue("localhost").write(&directory.0)).await;
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let config = authority.client_config(None, protocols);
        let said = ask(serving.address(), config).await.unwrap();
        assert_eq!(said, format!("{version} nobody"));
    }
}

#[tokio::test]
async fn tls_versions_are_1_3_and_1_2() {
    let (authority, directory) = (Authority::new(), Directory::new("versions"));
    let serving = serving(authority.issue("localhost").write(&directory.0)).await;
    let config = Arc::new(authority.client_config(None, &[]));
    let stream = connect(serving.address(), &config).await.unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));

    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(
        authority.roots().into(),
        Arc::clone(&provider),
    );
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_webpki_verifier(verifier.build().unwrap())
        .with_no_client_auth();
    let stream = connect(serving.address(), &Arc::new(config)).await.unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));

    // A client hello of TLS 1.1 (RFC 4346 section 7.4.1.2), with one cipher suite and one signature algorithm.
    let mut hello = vec![0x16, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut client = Wire::connect(serving.address()).await;
    client.send(&hello).await;
    let said = client.read_bytes_to_end().await;
    // A fatal alert: protocol_version (RFC 8446 section 6.2).
    assert_eq!((said[0], &said[5..]), (0x15, &[2, 70][..]));
}

#[tokio::test]
async fn session_is_resumed() {
    let (authority, directory) = (Authority::new(), Directory::new("session"));
    let serving = serving(authority.issue("localhost").write(&directory.0)).await;
    let config = Arc::new(authority.client_config(None, &["http/1.1"]));
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = connect(serving.address(), &config).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut said = String::new();
        soon(stream.read_to_string(&mut said)).await.unwrap();
        assert!(said.ends_with("nobody"), "{said}");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
    }
}

#[tokio::test]
async fn clients_show_a_certificate() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let directory = Directory::new("clients");
    let known = clients.issue("a client");
    let unknown = others.issue("a client");
    for is_required in [true, false] {
        let mut tls = authority.issue("localhost").write(&directory.0);
        tls.client = Some(ClientCertificate {
            ca: clients.file().into(),
            is_required,
        });
        let serving = serving(tls).await;
        for protocols in [&["h2"][..], &["http/1.1"]] {
            let ask = async |identity: Option<&Identity>| {
                let config = authority.client_config(identity, protocols);
                ask(serving.address(), config).await
            };
            let said = ask(Some(&known)).await.unwrap();
            assert_eq!(said.split(' ').nth(1).unwrap().len(), 64, "{said}");
            ask(Some(&unknown)).await.unwrap_err();
            match is_required {
                true => drop(ask(None).await.unwrap_err()),
                false => assert!(ask(None).await.unwrap().ends_with(" nobody")),
            }
        }
    }
}

#[tokio::test]
async fn new_certificate_counts_for_new_connections() {
    let (authority, directory) = (Authority::new(), Directory::new("reload"));
    let first = authority.issue("localhost");
    let tls = first.write(&directory.0);
    let serving = serving(tls.clone()).await;
    let acceptor = &serving.acceptors()[0];
    let config = Arc::new(authority.client_config(None, &["http/1.1"]));
    let certificate = async || {
        let stream = connect(serving.address(), &config).await.unwrap();
        let certificates = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        certificates[0].to_vec()
    };
    let mut kept = connect(serving.address(), &config).await.unwrap();
    let mut ask_kept = async || {
        kept.write_all(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n")
            .await
            .unwrap();
        let mut said = vec![0; 1024];
        let read = soon(kept.read(&mut said)).await.unwrap();
        assert!(said[..read].starts_with(b"HTTP/1.1 200 "));
    };
    ask_kept().await;
    assert_eq!(certificate().await, first.certificate());

    let second = authority.issue("localhost");
    second.write(&directory.0);
    acceptor.reload().unwrap();
    assert_eq!(certificate().await, second.certificate());
    ask_kept().await;

    fs::write(&tls.key, "no key").unwrap();
    let error = acceptor.reload().unwrap_err();
    assert_eq!(error.file(), Some(&*tls.key));
    assert_eq!(certificate().await, second.certificate());
    ask_kept().await;
}

/// Starts the whole gateway by a file, on all addresses of this machine.
async fn asking(authority: &Authority, certificate_of_client: &str) -> (Gateway, MockUpstream) {
    let files = Files::new();
    let Tls {
        certificate, key, ..
    } = authority.issue("localhost").write(&files.path(""));
    let ca = authority.file();
    let backend = healthy().await;
    let text = format!(
        "[[listeners]]\ntls = {{ certificate = {certificate:?}, key = {key:?}, client_ca = {ca:?}, \
         client_certificate = {certificate_of_client:?} }}\n\
         [[pools]]\n[[pools.backends]]\nname = \"a\"\nurl = {:?}\ncredential = \"passthrough\"\n",
        backend.url()
    );
    let gateway = gateway!().env("LISTEN", "0.0.0.0:0");
    (gateway.config_beside(files, &text).start().await, backend)
}

#[tokio::test]
async fn listener_with_client_certificates_is_not_open() {
    let authority = Authority::new();
    for (certificate, is_open) in [("required", false), ("optional", true)] {
        let (gateway, _backend) = asking(&authority, certificate).await;
        let warned = gateway.stop().await.stderr.contains("no client keys");
        assert_eq!(warned, is_open, "{certificate}");
    }
}

#[tokio::test]
async fn log_has_the_certificate_of_a_client() {
    let authority = Authority::new();
    let (gateway, _backend) = asking(&authority, "optional").await;
    let address = SocketAddr::from(([127, 0, 0, 1], gateway.address().port()));

    let client = authority.issue("a client");
    for client in [None, Some(&client)] {
        let config = authority.client_config(client, &[]);
        ask(address, config).await.unwrap();
    }
    let lines = gateway.wait_for_requests(2).await;
    assert_eq!(lines[0]["client_certificate"], Value::Null);
    let logged = lines[1]["client_certificate"].as_str().unwrap();
    assert_eq!(logged.len(), 64, "{logged}");
}

#[tokio::test]
async fn handshake_has_its_time() {
    let (authority, directory) = (Authority::new(), Directory::new("handshake"));
    let connections = Connections {
        head_timeout: Duration::from_millis(300),
        ..Connections::default()
    };
    let tls = authority.issue("localhost").write(&directory.0);
    let shutdown = Shutdown::default();
    let serving = Serving::start_with(&[Some(tls)], connections, shutdown, answer).await;
    for begun in [&[][..], &[0x16, 3, 1]] {
        let mut client = Wire::connect(serving.address()).await;
        client.send(begun).await;
        assert_eq!(client.read_to_end().await, "");
    }
    // One client that does not speak TLS, and one whose handshake waits while the gateway stops.
    let mut client = Wire::connect(serving.address()).await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.read_bytes_to_end().await;
    let _waiting = Wire::connect(serving.address()).await;
    serving.stop().await;
    serving.end().await;
}

#[tokio::test]
async fn there_are_several_listeners() {
    let (authority, directory) = (Authority::new(), Directory::new("several"));
    let tls = authority.issue("localhost").write(&directory.0);
    let listeners = [None, Some(tls), None];
    let (connections, shutdown) = (Connections::default(), Shutdown::default());
    let serving = Serving::start_with(&listeners, connections, shutdown, answer).await;
    let &[first, second, third] = serving.addresses() else {
        panic!("there are three");
    };
    for address in [first, third] {
        assert_eq!(Client::http1(address).get("/").await.text(), "nobody");
        assert_eq!(Client::http2(address).get("/").await.text(), "nobody");
    }
    let config = authority.client_config(None, &["h2"]);
    assert_eq!(ask(second, config).await.unwrap(), "HTTP/2.0 nobody");
}

#[tokio::test]
async fn server_does_not_begin_with_a_bad_file_or_address() {
    let (authority, directory) = (Authority::new(), Directory::new("bad"));
    let tls = authority.issue("localhost").write(&directory.0);
    fs::write(&tls.certificate, "garbage").unwrap();
    let bind = async |address: SocketAddr, tls| {
        let listeners = [Listener {
            address: address.into(),
            tls,
        }];
        let server = Server::bind(&listeners, Connections::default(), Shutdown::default());
        server.await.unwrap_err()
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let error = bind(any, Some(tls.clone())).await;
    assert!(matches!(error, StartError::Tls(_)), "{error:?}");
    let file = tls.certificate.display();
    assert_eq!(
        error.to_string(),
        format!("{file}: expected certificates in PEM format")
    );

    let taken = serving(authority.issue("localhost").write(&directory.0)).await;
    let error = bind(taken.address(), None).await.to_string();
    assert!(
        error.starts_with(&format!("cannot listen on {}: ", taken.address())),
        "{error}"
    );
}
