//! Raw bytes on a socket, for traffic that HTTP libraries neither send nor show.

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
    /// Bytes that arrived and were not requested yet.
    read: Vec<u8>,
}

impl Wire {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await;
        Self::new(stream.expect("it listens"))
    }

    /// Sends a request in one write, and reads until the other side closes.
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

    /// Reads up to and including `end`.
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

    /// Reads until the other side closes, in order or by a reset.
    pub async fn read_bytes_to_end(mut self) -> Vec<u8> {
        let _ = soon(self.stream.read_to_end(&mut self.read)).await;
        self.read
    }

    /// Reads and drops the available bytes, up to `most`.
    pub async fn read_some(&mut self, most: usize) {
        let mut buffer = vec![0; most];
        let read = soon(self.stream.read(&mut buffer)).await;
        assert_ne!(read.expect("the connection holds"), 0, "it has ended");
    }

    /// Returns true if there are bytes to read now.
    pub async fn has_more(&mut self) -> bool {
        let wait = Duration::from_millis(1);
        timeout(wait, self.stream.readable()).await.is_ok()
    }

    /// Writes `bytes`, unless the other side has stopped reading.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
    }

    fn new(stream: TcpStream) -> Self {
        let read = Vec::new();
        Self { stream, read }
    }
}

/// A server whose every byte is written by the test.
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

    /// Returns the base URL, without a slash at the end.
    pub fn url(&self) -> String {
        let address = self.listener.local_addr().expect("it is bound");
        format!("http://{address}")
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> Wire {
        let accepted = soon(self.listener.accept()).await;
        let (stream, _) = accepted.expect("a connection");
        // Sends each write at once.
        stream.set_nodelay(true).expect("a TCP socket");
        Wire::new(stream)
    }

    /// Sends [`ASK`] through the gateway at this address and waits until it arrives here. Returns both ends.
    pub async fn begin(&self, gateway: SocketAddr) -> (Wire, Wire) {
        let mut client = Wire::connect(gateway).await;
        client.send(ASK).await;
        let mut server = self.accept().await;
        server.read_until("\r\n\r\n{}").await;
        (client, server)
    }

    /// Begins a request and answers with a stream whose first event, `one`, has reached the client. Returns both ends.
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

/// A request with the body `{}`.
pub const ASK: &str =
    "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n\r\n{}";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text in UTF-8")
}
