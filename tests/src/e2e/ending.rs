//! Backends that end connections, as servers may do at any time.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A server whose connections end as a script says.
#[derive(Debug)]
pub struct EndingUpstream {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

/// A request that arrived. Numbers start at 1.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// The number of the connection.
    pub connection: u64,
    /// The number of the request on that connection.
    pub request: u64,
}

/// The treatment of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name each of them")]
pub enum Reaction {
    /// The request is answered with 200 and `fine`.
    Answer,
    /// The connection is closed (FIN).
    Close,
    /// The connection is reset (RST).
    Reset,
    /// A part of a head is sent, and the connection is closed. HTTP/1.1 only.
    Torn,
    /// The stream is reset with `REFUSED_STREAM`. HTTP/2 only.
    Refuse,
    /// GOAWAY, of which the last stream is the one before. HTTP/2 only.
    GoAway,
}

impl EndingUpstream {
    /// Starts a server that speaks HTTP/1.1.
    pub async fn http1(script: impl Fn(Arrived) -> Reaction + Clone + Send + 'static) -> Self {
        Self::start(false, script).await
    }

    /// Starts a server that speaks HTTP/2 with prior knowledge.
    pub async fn http2(script: impl Fn(Arrived) -> Reaction + Clone + Send + 'static) -> Self {
        Self::start(true, script).await
    }

    async fn start(
        is_http2: bool,
        script: impl Fn(Arrived) -> Reaction + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (connections, requests) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());

        let mut accepting = JoinSet::new();
        let (accepted, arrived) = (Arc::clone(&connections), Arc::clone(&requests));
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let connection = accepted.fetch_add(1, Relaxed) + 1;
                let (script, arrived) = (script.clone(), Arc::clone(&arrived));
                let react = move |request| {
                    arrived.fetch_add(1, Relaxed);
                    script(Arrived {
                        connection,
                        request,
                    })
                };
                // The client checks errors of the connection.
                serving.spawn(async move {
                    if is_http2 {
                        http2(stream, react).await
                    } else {
                        http1(stream, react).await
                    }
                });
            }
        });
        Self {
            address,
            connections,
            requests,
            _accepting: accepting,
        }
    }

    /// Returns the base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of accepted connections.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Returns the number of requests that arrived, however they were treated.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }
}

async fn http1(stream: TcpStream, mut react: impl FnMut(u64) -> Reaction) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    for request in 1.. {
        if read_request(&mut stream).await?.is_none() {
            return Ok(());
        }
        match react(request) {
            Reaction::Answer => {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
                stream.write_all(answer).await?;
                stream.flush().await?;
            }
            Reaction::Torn => {
                stream.write_all(b"HTTP/1.1 200 O").await?;
                return stream.flush().await;
            }
            Reaction::Reset => return stream.into_inner().set_zero_linger(),
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Reads a request and returns the length of its body; `None` at the end of the connection.
async fn read_request(stream: &mut BufStream<TcpStream>) -> io::Result<Option<u64>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let field = line.trim_end().to_ascii_lowercase();
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if field.is_empty() {
            let mut body = (&mut *stream).take(length);
            tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
            return Ok(Some(length));
        }
    }
}

/// Serves HTTP/2 frames (RFC 9113, section 6). The heads of requests are not decoded.
async fn http2(mut stream: TcpStream, mut react: impl FnMut(u64) -> Reaction) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let (mut request, mut is_leaving) = (0, false);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let id = u32::from_be_bytes(id);
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let payload = if kind == PING { &payload[..] } else { &[] };
                stream.write_all(&frame(kind, ACK, 0, payload)).await?;
            }
            HEADERS | DATA if flags & END_STREAM != 0 => {
                request += 1;
                let reaction = react(request);
                match reaction {
                    // The GOAWAY told the client that later streams are ignored.
                    _ if is_leaving => {}
                    Reaction::Answer => {
                        // `:status: 200` of the static table (RFC 7541 appendix A).
                        let mut answer = frame(HEADERS, END_HEADERS, id, &[0x88]);
                        answer.extend(frame(DATA, END_STREAM, id, b"fine"));
                        stream.write_all(&answer).await?;
                    }
                    Reaction::Refuse => {
                        let refused = frame(RST_STREAM, 0, id, &7_u32.to_be_bytes());
                        stream.write_all(&refused).await?;
                    }
                    Reaction::GoAway => {
                        is_leaving = true;
                        let last = u64::from(id.saturating_sub(2)) << 32;
                        stream
                            .write_all(&frame(GOAWAY, 0, 0, &last.to_be_bytes()))
                            .await?;
                    }
                    Reaction::Reset => return stream.set_zero_linger(),
                    Reaction::Close | Reaction::Torn => return Ok(()),
                }
            }
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
