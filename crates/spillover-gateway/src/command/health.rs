use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use super::print;

/// Asks a running gateway for `/healthz` or `/readyz`.
///
/// Serves as the health check of a container image without a shell and an HTTP client.
///
/// # Errors
///
/// Returns an error if the gateway does not answer, or answers with another status than 200.
pub(crate) fn health(address: &str, asks_ready: bool) -> io::Result<()> {
    let path = if asks_ready { "/readyz" } else { "/healthz" };
    let answer = get(address, path)
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !is_ok(head) {
        let said = if body.is_empty() { "no answer" } else { body };
        return Err(io::Error::other(said.trim_end().to_owned()));
    }
    print(body)
}

fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // HTTP/1.0, so that the body is not chunked and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Returns the status of a status line (RFC 9112 section 4).
fn is_ok(head: &str) -> bool {
    head.starts_with("HTTP/1.") && head.split(' ').nth(1) == Some("200")
}

const LIMIT: Duration = Duration::from_secs(5);
const MOST_BYTES: u64 = 64 * 1024;
