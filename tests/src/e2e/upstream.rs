//! Backends for all kinds of tests.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use spillover_testing::{MockUpstream, upstream::Behavior};
use tokio::net::TcpSocket;

/// Starts a mock of a healthy backend.
pub async fn healthy() -> MockUpstream {
    let mock = MockUpstream::builder()
        .behavior(Behavior::echo())
        .start()
        .await;
    mock.expect("a free port")
}

/// Starts a mock with this behavior for every request.
pub async fn behaving(behavior: impl Into<Behavior>) -> MockUpstream {
    let mock = healthy().await;
    mock.handle().set_behavior(behavior);
    mock
}

/// Returns an answer with this status and header fields, and a body that names the status.
pub fn answer(status: u16, fields: &[(&str, &str)]) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    let body = format!(r#"{{"error":{{"code":"{status}","message":"of the backend"}}}}"#);
    response.body(body.into()).expect("a valid response")
}

/// A port that refuses connections while this value lives.
#[derive(Debug)]
pub struct RefusingPort {
    socket: TcpSocket,
}

impl RefusingPort {
    /// Binds a port without listening on it.
    pub fn bind() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(address).expect("a free port");
        Self { socket }
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        let address = self.socket.local_addr().expect("it is bound");
        format!("http://{address}")
    }
}
