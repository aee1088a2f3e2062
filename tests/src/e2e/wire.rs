//! Bytes on a socket, for what no HTTP library would send or show.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::soon;

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Came, and was not asked for yet.
    read: Vec<u8>,
}

impl Wire {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await;
        Self::new(stream.expect("it listens"))
    }

    /// Sends a request in one write, and reads all that comes until the other side closes.
    pub async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut wire = Self::connect(address).await;
        wire.send(request).await;
        wire.read_to_end().await
    }

    /// Writes all of `bytes`.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let written = soon(self.stream.write_all(bytes.as_ref())).await;
        written.expect("the other side reads");
    }

    /// Reads until `end` has come: everything up to it, and `end` itself.
    pub async fn read_until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|at| at == end.as_bytes());
            if let Some(at) = found {
                return text(self.read.drain(..at + end.len()).collect());
            }
            let read = soon(self.stream.read_buf(&mut self.read)).await;
            let rest = String::from_utf8_lossy(&self.read);
            assert_ne!(
                read.expect("the connection holds"),
                0,
                "no {end:?} in {rest:?}"
            );
        }
    }

    /// Reads the head of a request or response.
    pub async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// Reads until the other side closes.
    pub async fn read_to_end(mut self) -> String {
        let read = soon(self.stream.read_to_end(&mut self.read)).await;
        read.expect("the connection ends well");
        text(self.read)
    }

    /// Reads until the other side closes, well or not.
    pub async fn read_bytes_to_end(mut self) -> Vec<u8> {
        let _ = soon(self.stream.read_to_end(&mut self.read)).await;
        self.read
    }

    /// Reads what there is, up to `most` bytes, and keeps none of it.
    pub async fn read_some(&mut self, most: usize) {
        let mut buffer = vec![0; most];
        let read = soon(self.stream.read(&mut buffer)).await;
        assert_ne!(read.expect("the connection holds"), 0, "it has ended");
    }

    /// Whether there is something to read now.
    pub async fn has_more(&mut self) -> bool {
        let wait = Duration::from_millis(1);
        timeout(wait, self.stream.readable()).await.is_ok()
    }

    /// Writes `bytes`, unless the other side does not read any more.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
    }

    fn new(stream: TcpStream) -> Self {
        let read = Vec::new();
        Self { stream, read }
    }
}

/// A server whose every byte the test writes itself.
#[derive(Debug)]
pub struct WireUpstream {
    listener: TcpListener,
}

impl WireUpstream {
    /// Listens on a free port.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self {
            listener: listener.expect("a free port"),
        }
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr().expect("it is bound");
        format!("http://{address}")
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> Wire {
        let accepted = soon(self.listener.accept()).await;
        let (stream, _) = accepted.expect("a connection");
        // Each write is to leave at once.
        stream.set_nodelay(true).expect("a TCP socket");
        Wire::new(stream)
    }

    /// Sends [`ASK`] through the gateway at this address, and waits until it is here: both ends.
    pub async fn begin(&self, gateway: SocketAddr) -> (Wire, Wire) {
        let mut client = Wire::connect(gateway).await;
        client.send(ASK).await;
        let mut server = self.accept().await;
        server.read_until("\r\n\r\n{}").await;
        (client, server)
    }

    /// Does so, and answers with a stream of which the client has the first event, `one`: both ends.
    pub async fn begin_stream(&self, gateway: SocketAddr) -> (Wire, Wire) {
        let (mut client, mut server) = self.begin(gateway).await;
        server
            .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        server.send("B\r\ndata: one\n\n\r\n").await;
        client.read_until("data: one\n\n").await;
        (client, server)
    }
}

/// A request whose body is `{}`.
pub const ASK: &str =
    "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n\r\n{}";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text in UTF-8")
}
