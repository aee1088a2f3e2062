//! Backends and clients that speak WebSocket.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::body::Body;
use futures_util::{SinkExt, StreamExt};
use http::{
    Request, Response, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
    },
};
use hyper::{body::Incoming, service::service_fn, upgrade::OnUpgrade};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message, client::IntoClientRequest, handshake::derive_accept_key, protocol::Role,
    },
};

use super::{Gateway, soon};

/// A backend's answers: every WebSocket is accepted and every message sent back. A message `leave` makes the backend
/// drop the connection without a close frame. Other requests are answered with their path.
#[derive(Clone, Debug)]
pub struct Echo {
    requests: Arc<Mutex<Vec<Request<()>>>>,
    open: watch::Sender<usize>,
}

impl Echo {
    /// Creates the answers of one backend.
    pub fn new() -> Self {
        Self {
            requests: Arc::default(),
            open: watch::Sender::new(0),
        }
    }

    /// Answers a request.
    pub async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let (head, _) = request.into_parts();
        let request = Request::from_parts(head, ());
        self.requests.lock().expect("a lock").push(request.clone());
        let key = request.headers().get(SEC_WEBSOCKET_KEY);
        let (Some(key), Some(client)) = (key, request.extensions().get::<OnUpgrade>()) else {
            let path = request.uri().path().to_owned();
            return Response::new(path.into());
        };
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
        let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
        if let Some(first) = offered.and_then(|list| list.to_str().ok()?.split(',').next()) {
            response = response.header(SEC_WEBSOCKET_PROTOCOL, first);
        }
        tokio::spawn(self.echo(client.clone()));
        response.body(Body::empty()).expect("a valid response")
    }

    async fn echo(self, client: OnUpgrade) {
        let client = client.await.expect("it was agreed to");
        self.open.send_modify(|open| *open += 1);
        let mut socket =
            WebSocketStream::from_raw_socket(TokioIo::new(client), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message == Message::text("leave") {
                break;
            }
            let is_data = message.is_text() || message.is_binary();
            if is_data && socket.send(message).await.is_err() {
                break;
            }
        }
        drop(socket);
        self.open.send_modify(|open| *open -= 1);
    }

    /// Returns the received requests.
    pub fn requests(&self) -> Vec<Request<()>> {
        self.requests.lock().expect("a lock").clone()
    }

    /// Returns the last received request.
    pub fn last(&self) -> Request<()> {
        self.requests().pop().expect("a request")
    }

    /// Waits until this many `WebSocket`s are open.
    pub async fn wait_for_open(&self, count: usize) {
        let mut open = self.open.subscribe();
        let reached = soon(open.wait_for(|open| *open == count)).await;
        reached.expect("the backend is there");
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

/// A backend without TLS that serves an [`Echo`].
#[derive(Debug)]
pub struct WebSocketUpstream {
    address: SocketAddr,
    echo: Echo,
    _accepting: JoinSet<()>,
}

impl WebSocketUpstream {
    /// Starts a backend.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let echo = Echo::new();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, echo.clone()));
        Self {
            address,
            echo,
            _accepting: accepting,
        }
    }

    /// Returns the base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the record of its requests.
    pub fn echo(&self) -> &Echo {
        &self.echo
    }
}

async fn accept(listener: TcpListener, echo: Echo) {
    let mut serving = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let echo = echo.clone();
        serving.spawn(async move {
            let service = service_fn(move |request| {
                let answer = echo.clone().answer(request);
                async { Ok::<_, Infallible>(answer.await) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let io = TokioIo::new(stream);
            // The client checks how the connection ends.
            let _ = server.serve_connection_with_upgrades(io, service).await;
        });
    }
}

/// A client's WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    /// The gateway's response to the handshake.
    pub response: Response<()>,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl WebSocket {
    /// Opens a WebSocket at the gateway.
    pub async fn open(gateway: &Gateway, path: &str) -> Self {
        let opened = Self::try_open(gateway.address(), path, &[]).await;
        opened.expect("a WebSocket")
    }

    /// Opens a WebSocket with these header fields.
    ///
    /// # Errors
    ///
    /// Fails with the response that came instead of a WebSocket.
    pub async fn try_open(
        server: SocketAddr,
        path: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Self, Response<Option<Vec<u8>>>> {
        let mut request = format!("ws://{server}{path}").into_client_request();
        let headers = request.as_mut().expect("a path").headers_mut();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a value"));
        }
        match soon(connect_async(request.expect("a path"))).await {
            Ok((stream, response)) => {
                let response = response.map(|_| ());
                Ok(Self { response, stream })
            }
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Returns the label of the backend on the other side.
    pub fn backend(&self) -> &str {
        let label = self.response.headers().get("x-spillover-backend");
        label.and_then(|label| label.to_str().ok()).unwrap_or("")
    }

    /// Sends a message.
    pub async fn send(&mut self, message: impl Into<Message>) {
        let sent = soon(self.stream.send(message.into())).await;
        sent.expect("the other side is there");
    }

    /// Returns the next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Message> {
        soon(self.stream.next()).await?.ok()
    }

    /// Sends a message and waits for its echo.
    pub async fn ask(&mut self, message: impl Into<Message>) {
        let message = message.into();
        self.send(message.clone()).await;
        assert!(self.next().await == Some(message));
    }

    /// Sends a close frame, and waits for the answer and the end.
    pub async fn close(mut self) {
        soon(self.stream.close(None)).await.expect("it is open");
        while self.next().await.is_some() {}
    }
}
